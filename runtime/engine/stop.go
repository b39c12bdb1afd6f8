package engine

import "strings"

// stopFilter passes text on up to the first stop string. It holds back an end of the text
// that a stop string may begin with.
type stopFilter struct {
	stops   []string
	held    string
	stopped bool
}

func newStopFilter(stops []string) stopFilter {
	f := stopFilter{}
	for _, s := range stops {
		if s != "" {
			f.stops = append(f.stops, s)
		}
	}
	return f
}

// push adds text and returns what is certain now, and whether a stop string followed it.
func (f *stopFilter) push(text string) (certain string, stopped bool) {
	if f.stopped {
		return "", true
	}
	f.held += text
	first := -1
	for _, s := range f.stops {
		if at := strings.Index(f.held, s); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	if first >= 0 {
		certain, f.held, f.stopped = f.held[:first], "", true
		return certain, true
	}
	keep := f.keep()
	certain, f.held = f.held[:len(f.held)-keep], f.held[len(f.held)-keep:]
	return certain, false
}

// keep is the length of the longest end of the held text that begins a stop string.
func (f *stopFilter) keep() int {
	longest := 0
	for _, s := range f.stops {
		for n := min(len(s)-1, len(f.held)); n > longest; n-- {
			if strings.HasSuffix(f.held, s[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// rest is what was held back when the text ends.
func (f *stopFilter) rest() string {
	text := f.held
	f.held = ""
	return text
}
