package npu

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const goodTable = `{"status":"completed","version":"1.0","server_count":"1",` +
	`"server_list":[{"server_id":"a","device":[` +
	`{"device_id":"3","device_ip":"192.168.1.8","rank_id":"0"},{"device_id":"2","rank_id":"1"}]}]}`

func TestParseTable(t *testing.T) {
	chips, err := parseTable([]byte(goodTable))
	if err != nil || !slices.Equal(chips, []int{3, 2}) {
		t.Errorf("%v, %v", chips, err)
	}
	for want, replace := range map[string][2]string{
		`status is "initializing", not completed`:                {"completed", "initializing"},
		`server_count is "2", the table lists 1`:                 {`server_count":"1"`, `server_count":"2"`},
		`server "a": rank 0 is listed twice`:                     {`rank_id":"1"`, `rank_id":"0"`},
		`server "a": ranks 0 and 1 have both chip 3`:             {`device_id":"2"`, `device_id":"3"`},
		`of 2 ranks, rank 1 is missing`:                          {`rank_id":"1"`, `rank_id":"2"`},
		`server "a": rank_id is "-1", want a number below 4096`:  {`rank_id":"1"`, `rank_id":"-1"`},
		`server "a": device_id is "x", want a number below 1024`: {`device_id":"2"`, `device_id":"x"`},
		`server "a": device_id is "", want a number below 1024`:  {`"device_id":"2",`, ``},
		`not a rank table: unexpected end of JSON input`:         {`]}]}`, ``},
		`not a rank table: json: cannot unmarshal number into Go struct field ` +
			`tableDevice.server_list.device.rank_id of type string`: {`rank_id":"1"`, `rank_id":1`},
	} {
		_, err := parseTable([]byte(strings.Replace(goodTable, replace[0], replace[1], 1)))
		if err == nil || err.Error() != want {
			t.Errorf("%s by %s: %v\nwant %s", replace[0], replace[1], err, want)
		}
	}
}

func TestChipInTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ranks.json")
	_, err := chipInTable(path, 2, 0)
	want(
		t,
		err,
		path+": open "+path+": no such file or directory; give a rank table with the ranks 0 to 1, "+
			"each with a chip of its own",
	)
	check(t, os.WriteFile(path, []byte(goodTable), 0o644))
	if chip, err := chipInTable(path, 2, 1); chip != 2 || err != nil {
		t.Errorf("%d, %v", chip, err)
	}
	_, err = chipInTable(path, 8, 0)
	want(
		t,
		err,
		path+": the table has 2 ranks, the bundle 8; give a rank table with the ranks 0 to 7, each with "+
			"a chip of its own",
	)
	if !errors.Is(err, ErrInput) {
		t.Error("not ErrInput")
	}
	_, err = chipInTable(path, 2, 2)
	want(
		t,
		err,
		path+": this rank, 2, is not in the table; give a rank table with the ranks 0 to 1, each with a "+
			"chip of its own",
	)
	check(t, os.WriteFile(path, make([]byte, maxTable+1), 0o644))
	_, err = chipInTable(path, 2, 0)
	want(
		t,
		err,
		path+": more than 1048576 bytes are no rank table; give a rank table with the ranks 0 to 1, each "+
			"with a chip of its own",
	)
}

func FuzzParseTable(f *testing.F) {
	f.Add([]byte(goodTable))
	f.Add([]byte(`{"server_list":[{"device":[{"device_id":"0","rank_id":"4095"}]}]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		chips, err := parseTable(data)
		if err != nil {
			return
		}
		for _, c := range chips {
			if c < 0 || c >= maxDevice {
				t.Errorf("chip %d", c)
			}
		}
	})
}
