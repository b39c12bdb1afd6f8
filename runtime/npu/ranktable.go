package npu

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
)

// rankTable is a rank table of HCCL: which chip of which server each rank has (rank table version 1.0,
// HCCL user guide). Its numbers are strings.
type rankTable struct {
	Status      string        `json:"status"`
	ServerCount string        `json:"server_count"`
	Servers     []tableServer `json:"server_list"`
}

type tableServer struct {
	ID      string        `json:"server_id"`
	Devices []tableDevice `json:"device"`
}

type tableDevice struct {
	Device string `json:"device_id"`
	Rank   string `json:"rank_id"`
}

const (
	maxTable  = 1 << 20 // bytes of a table
	maxRanks  = 1 << 12
	maxDevice = 1 << 10
)

// chipInTable reads a rank table and gives the chip of one rank. It refuses tables that are not
// complete, that are for another number of ranks, and in which a rank or a chip is named twice.
func chipInTable(path string, ranks, rank int) (int, error) {
	refuse := func(err error) error {
		return &Error{What: path, Err: err, Kind: ErrInput, Hint: fmt.Sprintf(
			"give a rank table with the ranks 0 to %d, each with a chip of its own", ranks-1)}
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, refuse(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxTable+1))
	switch {
	case err != nil:
		return 0, refuse(err)
	case len(data) > maxTable:
		return 0, refuse(fmt.Errorf("more than %d bytes are no rank table", maxTable))
	}
	chips, err := parseTable(data)
	switch {
	case err != nil:
		return 0, refuse(err)
	case len(chips) != ranks:
		return 0, refuse(fmt.Errorf("the table has %d ranks, the bundle %d", len(chips), ranks))
	case rank < 0 || rank >= ranks:
		return 0, refuse(fmt.Errorf("this rank, %d, is not in the table", rank))
	}
	return chips[rank], nil
}

// parseTable gives the chip of each rank.
func parseTable(data []byte) ([]int, error) {
	var t rankTable
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("not a rank table: %w", err)
	}
	if t.Status != "" && t.Status != "completed" {
		return nil, fmt.Errorf("status is %q, not completed", t.Status)
	}
	if t.ServerCount != "" && t.ServerCount != strconv.Itoa(len(t.Servers)) {
		return nil, fmt.Errorf("server_count is %q, the table lists %d", t.ServerCount, len(t.Servers))
	}
	chips := map[int]int{}
	for _, s := range t.Servers {
		if err := s.add(chips); err != nil {
			return nil, fmt.Errorf("server %q: %w", s.ID, err)
		}
	}
	list := make([]int, 0, len(chips))
	for rank := range len(chips) {
		chip, ok := chips[rank]
		if !ok {
			return nil, fmt.Errorf("of %d ranks, rank %d is missing", len(chips), rank)
		}
		list = append(list, chip)
	}
	return list, nil
}

// add puts the ranks of one server down.
func (s tableServer) add(chips map[int]int) error {
	taken := map[int]string{}
	for _, d := range s.Devices {
		rank, err := number("rank_id", d.Rank, maxRanks)
		if err != nil {
			return err
		}
		chip, err := number("device_id", d.Device, maxDevice)
		if err != nil {
			return err
		}
		if other, twice := taken[chip]; twice {
			return fmt.Errorf("ranks %s and %s have both chip %d", other, d.Rank, chip)
		}
		if _, twice := chips[rank]; twice {
			return fmt.Errorf("rank %d is listed twice", rank)
		}
		taken[chip], chips[rank] = d.Rank, chip
	}
	return nil
}

func number(name, text string, limit int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n >= limit {
		return 0, fmt.Errorf("%s is %q, want a number below %d", name, text, limit)
	}
	return n, nil
}
