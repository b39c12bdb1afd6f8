package quant

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// StatsVersion is the format version that Marshal writes and ParseStats reads.
const StatsVersion = 1

const statsMagic = "moge-statistics"

// Marshal writes the statistics as text, one line a measurement:
//
//	moge-statistics 1
//	source sha256:...
//	calibration sha256:...
//	tokens 4096
//	gate_weight after_down
//	site layers.0.mlp.experts.down 3.25 8192     (name, largest magnitude, tokens)
//	expert 0 3.25 100                            (of the site above, counted from 0)
//	...
//	end 57                                       (number of sites)
//
// Sites ascend by name; a magnitude is the shortest decimal that reads back as the same
// float32. Statistics that Validate refuses are a bug of the caller.
func (s *Stats) Marshal() []byte {
	if err := s.Validate(); err != nil {
		panic("BUG: marshal of invalid statistics: " + err.Error())
	}
	b := fmt.Appendf(nil, "%s %d\nsource %s\ncalibration %s\ntokens %d\ngate_weight %s\n",
		statsMagic, StatsVersion, s.Source, s.Calibration, s.Tokens, s.GateWeight)
	for _, site := range s.Sites {
		b = appendRange(b, "site "+site.Name, site.Range)
		for e, r := range site.Experts {
			b = appendRange(b, "expert "+strconv.Itoa(e), r)
		}
	}
	return fmt.Appendf(b, "end %d\n", len(s.Sites))
}

func appendRange(b []byte, prefix string, r Range) []byte {
	b = append(b, prefix...)
	b = append(b, ' ')
	b = strconv.AppendFloat(b, float64(r.AMax), 'g', -1, 32)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.Tokens, 10)
	return append(b, '\n')
}

// ParseStats reads what Marshal wrote. Errors name the line. Memory stays proportional to
// the input, whatever it claims.
func ParseStats(text []byte) (*Stats, error) {
	p := &statsParser{rest: text}
	s, err := p.parse()
	if err != nil {
		return nil, fmt.Errorf("statistics file, line %d: %w", p.line, err)
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("statistics file: %w", err)
	}
	return s, nil
}

type statsParser struct {
	rest []byte
	line int
}

// next splits the next line into its words.
func (p *statsParser) next() ([]string, error) {
	p.line++
	line, rest, complete := bytes.Cut(p.rest, []byte("\n"))
	if !complete {
		return nil, fmt.Errorf("the file ends without its end line; it was cut short")
	}
	p.rest = rest
	return strings.Split(string(line), " "), nil
}

// header reads a line "key value".
func (p *statsParser) header(key string) (string, error) {
	words, err := p.next()
	if err != nil {
		return "", err
	}
	if len(words) != 2 || words[0] != key {
		return "", fmt.Errorf("want %q and one value, have %q", key, strings.Join(words, " "))
	}
	return words[1], nil
}

func (p *statsParser) parse() (*Stats, error) {
	s := &Stats{}
	if err := p.headers(s); err != nil {
		return nil, err
	}
	for {
		words, err := p.next()
		if err != nil {
			return nil, err
		}
		if words[0] == "end" {
			return s, p.end(s, words)
		}
		if err := parseMeasurement(s, words); err != nil {
			return nil, err
		}
	}
}

func (p *statsParser) headers(s *Stats) error {
	version, err := p.header(statsMagic)
	if err != nil {
		return err
	}
	if version != strconv.Itoa(StatsVersion) {
		return fmt.Errorf("format version %q; this program reads version %d", version, StatsVersion)
	}
	if s.Source, err = p.header("source"); err != nil {
		return err
	}
	if s.Calibration, err = p.header("calibration"); err != nil {
		return err
	}
	tokens, err := p.header("tokens")
	if err != nil {
		return err
	}
	if s.Tokens, err = strconv.ParseInt(tokens, 10, 64); err != nil {
		return fmt.Errorf("tokens %q is not a 64-bit integer", tokens)
	}
	place, err := p.header("gate_weight")
	s.GateWeight = GateWeight(place)
	return err
}

func (p *statsParser) end(s *Stats, words []string) error {
	if len(words) != 2 || words[1] != strconv.Itoa(len(s.Sites)) {
		return fmt.Errorf("want \"end %d\" after %d sites, have %q",
			len(s.Sites), len(s.Sites), strings.Join(words, " "))
	}
	if len(p.rest) != 0 {
		return fmt.Errorf("%d bytes follow the end line", len(p.rest))
	}
	return nil
}

func parseMeasurement(s *Stats, words []string) error {
	if len(words) != 4 || (words[0] != "site" && words[0] != "expert") {
		return fmt.Errorf("want a site, expert or end line, have %q", strings.Join(words, " "))
	}
	r, err := parseRange(words[2], words[3])
	if err != nil {
		return err
	}
	if words[0] == "site" {
		s.Sites = append(s.Sites, Site{Name: words[1], Range: r})
		return nil
	}
	if len(s.Sites) == 0 {
		return fmt.Errorf("expert %s comes before any site", words[1])
	}
	site := &s.Sites[len(s.Sites)-1]
	if words[1] != strconv.Itoa(len(site.Experts)) {
		return fmt.Errorf("site %s: want expert %d, have %q", site.Name, len(site.Experts), words[1])
	}
	site.Experts = append(site.Experts, r)
	return nil
}

func parseRange(amax, tokens string) (Range, error) {
	magnitude, err := strconv.ParseFloat(amax, 32)
	if err != nil {
		return Range{}, fmt.Errorf("range %q is not a float32", amax)
	}
	count, err := strconv.ParseInt(tokens, 10, 64)
	if err != nil {
		return Range{}, fmt.Errorf("token count %q is not a 64-bit integer", tokens)
	}
	return Range{AMax: float32(magnitude), Tokens: count}, nil
}

// IsStats reports whether data begins as a statistics file does.
func IsStats(data []byte) bool { return bytes.HasPrefix(data, []byte(statsMagic+" ")) }
