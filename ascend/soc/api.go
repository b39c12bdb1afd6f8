package soc

import (
	"fmt"
	"slices"
	"strings"
)

// Support says whether a chip has a call.
type Support uint8

// The kinds of support.
const (
	No          Support = iota + 1
	Yes                 // as documented
	CompileOnly         // it compiles and does nothing
)

// String is "no", "yes" or "compiles only".
func (s Support) String() string {
	switch s {
	case No:
		return "no"
	case Yes:
		return "yes"
	case CompileOnly:
		return "compiles only"
	}
	return fmt.Sprintf("support(%d)", uint8(s))
}

// Group is what an API is for.
type Group string

// The groups.
const (
	GroupVector   Group = "vector"
	GroupMove     Group = "data movement"
	GroupMatrix   Group = "matrix"
	GroupSync     Group = "synchronisation"
	GroupResource Group = "resources"
	GroupTensor   Group = "tensors"
	GroupScalar   Group = "scalar and system"
	GroupAtomic   Group = "atomics"
	GroupCache    Group = "caches"
	GroupTiling   Group = "tiling"
	GroupDebug    Group = "debugging"
)

// API is one call of Ascend C, or one of its forms where the chips differ in them.
type API struct {
	Name8   string // CANN 8.x
	Name9   string // CANN 9.x
	Form    string // which overload, class or path; empty if there is one
	Group   Group
	On310P  Support
	On910B  Support
	Source  Source
	Note    string // what to mind
	Instead string // what to write where it is missing

	types310P, types910B elemSet // types of the destination; empty if the call has none
}

// Key is the name of CANN 8.x, with the form behind a colon where there is one.
func (a API) Key() string {
	if a.Form == "" {
		return a.Name8
	}
	return a.Name8 + ":" + a.Form
}

// On gives the support of a family.
func (a API) On(f Family) Support { return pick(f, a.On310P, a.On910B) }

// Types lists the element types of the destination on a family; empty for calls on no
// tensor and for missing ones.
func (a API) Types(f Family) []Elem { return a.types(f).list() }

func (a API) types(f Family) elemSet { return pick(f, a.types310P, a.types910B) }

// is reports whether a name means this row: a key, or a name of either version.
func (a API) is(name string) bool { return name == a.Key() || name == a.Name8 || name == a.Name9 }

// APIs lists every call of the basic API groups.
func APIs() []API { return slices.Clone(apis) }

var apis = slices.Concat(vectorAPIs, reduceAPIs, selectAPIs, moveAPIs, matrixAPIs, syncAPIs,
	resourceAPIs, tensorAPIs, systemAPIs)

// FindAPIs gives the rows of a name of either version, or the one row of a key.
func FindAPIs(name string) []API {
	var list []API
	for _, a := range apis {
		if a.is(name) {
			list = append(list, a)
		}
	}
	return list
}

// Supports reports whether the chip has a call. A name without a form is supported if one of
// its forms is; names of CANN 8.x and 9.x both work; unknown names are not supported.
func (c *Chip) Supports(api string) bool {
	return slices.ContainsFunc(FindAPIs(api), func(a API) bool { return a.On(c.family) == Yes })
}

// Types lists the element types that a call takes on the chip, over all forms of the name.
// It is empty for calls on no tensor and for what the chip lacks.
func (c *Chip) Types(api string) []Elem {
	var all elemSet
	for _, a := range FindAPIs(api) {
		all |= a.types(c.family)
	}
	return all.list()
}

// SupportError says that a chip lacks a call, or the call an element type.
type SupportError struct {
	Chip    string
	API     string
	Elem    Elem // the type that is refused; 0 if the call is missing
	Types   []Elem
	Source  Source
	Instead string
}

// Error names the chip, the call, the type, what is legal and the source.
func (e *SupportError) Error() string {
	var b strings.Builder
	if e.Elem == 0 {
		fmt.Fprintf(&b, "%s has no %s", e.Chip, e.API)
	} else {
		fmt.Fprintf(&b, "%s of %s does not take %s, only %s", e.API, e.Chip, e.Elem, elemNames(e.Types))
	}
	fmt.Fprintf(&b, " (%s)", e.Source)
	if e.Instead != "" {
		b.WriteString("; instead: " + e.Instead)
	}
	return b.String()
}

func elemNames(list []Elem) string {
	names := make([]string, len(list))
	for i, e := range list {
		names[i] = e.String()
	}
	return strings.Join(names, ", ")
}

// Check returns a *SupportError if the chip lacks the call or the call the type. Elem 0 asks
// for the call alone. An unknown name is a bug of the caller.
func (c *Chip) Check(api string, e Elem) error {
	rows := FindAPIs(api)
	if len(rows) == 0 {
		panic("BUG: no API " + api + " is in the tables")
	}
	var types elemSet
	found := false
	for _, a := range rows {
		if a.On(c.family) == Yes {
			found = true
			types |= a.types(c.family)
		}
	}
	if found && (e == 0 || types.has(e)) {
		return nil
	}
	err := &SupportError{Chip: c.name, API: api, Source: rows[0].Source, Instead: rows[0].Instead}
	if found {
		err.Elem, err.Types, err.Instead = e, types.list(), ""
	}
	return err
}

// The functions below write rows of the tables.

func both(name string, types elemSet) API { return row(name, types, types) }

// row takes an empty set for a call on no tensor; missing and lacking change the support.
func row(name string, on310P, on910B elemSet) API {
	return API{Name8: name, Name9: name, On310P: Yes, On910B: Yes, Source: Docs,
		types310P: on310P, types910B: on910B}
}

func only310P(name string, types elemSet) API {
	a := row(name, types, 0)
	a.On910B = No
	return a
}

func only910B(name string, types elemSet) API {
	a := row(name, 0, types)
	a.On310P = No
	return a
}

func (a API) form(form string) API { a.Form = form; return a }

func (a API) renamed(name9 string) API { a.Name9 = name9; return a }

func (a API) note(text string) API { a.Note = text; return a }

func (a API) instead(text string) API { a.Instead = text; return a }

func (a API) from(s Source) API { a.Source = s; return a }

func grouped(g Group, rows []API) []API {
	for i := range rows {
		rows[i].Group = g
	}
	return rows
}

// plain writes rows of calls on no tensor that both families have.
func plain(g Group, form string, names ...string) []API {
	rows := make([]API, len(names))
	for i, name := range names {
		rows[i] = both(name, 0).form(form)
		rows[i].Group = g
	}
	return rows
}

// plain910B writes rows of calls on no tensor that the 910B alone has.
func plain910B(g Group, form string, names ...string) []API {
	rows := plain(g, form, names...)
	for i := range rows {
		rows[i].On310P = No
	}
	return rows
}
