package device

import (
	"fmt"
	"strconv"
	"strings"

	"moge/ascend/kernel/scalar"
)

// memo keeps what runs of one program on several paths work out alike.
type memo struct {
	deps   map[Int][]*scalar.Var
	values map[valueKey]Int
	apart  map[[2]string]bool
	reads  map[readKey]*scalar.Var
	ids    map[*scalar.Var]int
}

// valueKey is an expression with what the variables that it depends on hold.
type valueKey struct {
	x    Int
	held string
}

type readKey struct {
	of    *scalar.Var
	times int
}

func newMemo() *memo {
	return &memo{map[Int][]*scalar.Var{}, map[valueKey]Int{}, map[[2]string]bool{},
		map[readKey]*scalar.Var{}, map[*scalar.Var]int{}}
}

// dependsOn lists the variables of x, through names.
func (m *memo) dependsOn(x Int) []*scalar.Var {
	deps, ok := m.deps[x]
	if ok {
		return deps
	}
	for _, v := range x.Vars(nil) {
		if v.Kind == scalar.Named {
			deps = append(deps, m.dependsOn(v.Def)...)
		} else {
			deps = append(deps, v)
		}
	}
	m.deps[x] = deps
	return deps
}

// value is x with variables replaced by what find says they hold.
func (m *memo) value(x Int, find func(*scalar.Var) (Int, bool)) Int {
	if v := x.Var(); v != nil && v.Kind != scalar.Named {
		if y, ok := find(v); ok {
			return y
		}
		return x
	} else if x.Op() == scalar.OpConst {
		return x
	}
	var held strings.Builder
	for _, v := range m.dependsOn(x) {
		if y, ok := find(v); ok {
			held.WriteString(y.Key())
		}
		held.WriteByte(';')
	}
	key := valueKey{x, held.String()}
	y, ok := m.values[key]
	if !ok {
		y = x.Substitute(find)
		m.values[key] = y
	}
	return y
}

// read is the value of a variable that is read for the times-th time, from lo to hi. Texts of
// expressions tell it from all others: copies of a variable may share its name.
func (m *memo) read(of *scalar.Var, times int, lo, hi Int) Int {
	key := readKey{of, times}
	v := m.reads[key]
	if v == nil {
		if m.ids[of] == 0 {
			m.ids[of] = len(m.ids) + 1
		}
		v = scalar.NewRead(fmt.Sprintf("%s#%d#%d", of.Name, m.ids[of], times), lo, hi)
		m.reads[key] = v
	}
	return v.Int()
}

// areApart is apart of two records.
func (m *memo) areApart(a, b *record) bool {
	key := [2]string{a.where(), b.where()}
	yes, ok := m.apart[key]
	if !ok {
		yes = apart(&a.access, &b.access)
		m.apart[key] = yes
	}
	return yes
}

// where is the text of the bytes of a record.
func (r *record) where() string {
	if r.text == "" {
		a := &r.access
		r.text = a.Off.Key() + ";" + a.Len.Key()
		if a.Count != nil {
			r.text += ";" + a.Count.Key() + ";" + strconv.Itoa(a.Pitch)
		}
	}
	return r.text
}
