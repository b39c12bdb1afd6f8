package soc

// Fact is one number and where it is from.
type Fact struct {
	Value  int64
	Source Source
	Note   string    // why this reading, or what to mind
	Other  []Reading // what other sources say
}

// Reading is what another source says about the same number.
type Reading struct {
	Value  int64
	Source Source
}

// Known reports whether there is a number at all.
func (f Fact) Known() bool { return f.Source != NotFound && f.Source != "" }

// Row is a fact with its name, for tables of everything that is known about a chip.
type Row struct {
	Param Param
	Fact  Fact
}

// fact, noted and also build rows; unknown says that there is no number.
func fact(value int64, source Source) Fact { return Fact{Value: value, Source: source} }

func noted(value int64, source Source, note string) Fact {
	return Fact{Value: value, Source: source, Note: note}
}

func unknown(note string) Fact { return Fact{Source: NotFound, Note: note} }

func (f Fact) also(value int64, source Source) Fact {
	f.Other = append(f.Other[:len(f.Other):len(f.Other)], Reading{value, source})
	return f
}
