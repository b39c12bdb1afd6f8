package soc

import (
	"fmt"
	"strconv"
	"strings"
)

// CppConstants prints the chip as a C++17 header of constants in namespace moge::soc, for the
// emulator: every number and string, and the tables of calls, casts, products, drains, flags
// and limits. Every chip declares the same names: a number that nobody knows is -1, a property
// that nobody knows is false. The text depends on the chip alone.
func (c *Chip) CppConstants() string {
	p := &header{}
	p.line("// %s, from the tables of ascend/soc.", c.name)
	p.line("#pragma once")
	p.line("#include <cstdint>")
	p.line("")
	p.line("namespace moge::soc {")
	p.line("inline constexpr char kSoc[] = %s;", strconv.Quote(c.name))
	p.line("inline constexpr bool kSplit = %v;", c.Split())
	p.numbers(c)
	p.strings(c)
	p.enums()
	p.casts(c)
	p.mmads(c)
	p.drains(c)
	p.events(c)
	p.limits(c)
	p.apis(c)
	p.line("}  // namespace moge::soc")
	return p.text.String()
}

type header struct{ text strings.Builder }

func (p *header) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

func (p *header) numbers(c *Chip) {
	for _, r := range c.Rows() {
		name, unit := "k"+camel(r.Param.String()), r.Param.Unit()
		switch {
		case unit == "bool":
			p.line("inline constexpr bool %s = %v;  // %s", name, r.Fact.Value == 1, r.Fact.Source)
		case !r.Fact.Known():
			p.line("inline constexpr int64_t %s = -1;  // %s", name, r.Fact.Source)
		case unit == "":
			p.line("inline constexpr int64_t %s = %d;  // %s", name, r.Fact.Value, r.Fact.Source)
		default:
			p.line("inline constexpr int64_t %s = %d;  // %s, %s", name, r.Fact.Value, unit, r.Fact.Source)
		}
	}
}

func (p *header) strings(c *Chip) {
	for _, t := range Texts() {
		f := c.Text(t)
		p.line("inline constexpr char k%s[] = %s;  // %s", camel(t.String()), strconv.Quote(f.Value), f.Source)
	}
}

// enums gives element types, pipes and kinds of core the values that they have here.
func (p *header) enums() {
	p.line("enum class Elem : uint8_t {")
	p.line("  None = 0,")
	for _, e := range Elems() {
		p.line("  %s = %d,", cppElem(e), e)
	}
	p.line("};")
	p.line("enum class Pipe : uint8_t {")
	for i := Pipe(1); i < pipeEnd; i++ {
		p.line("  %s = %d,", i, i)
	}
	p.line("};")
	p.line("enum class Core : uint8_t {")
	for i := Core(1); i < coreEnd; i++ {
		p.line("  %s = %d,", i, i)
	}
	p.line("};")
}

// cppElem is the enumerator of an element type.
func cppElem(e Elem) string {
	if e == 0 {
		return "None"
	}
	return camel(strings.TrimSuffix(e.String(), "_t"))
}

func (p *header) casts(c *Chip) {
	p.line("struct Cast { Elem from, to; uint32_t modes; bool deqScale; };  // bit m of modes: RoundMode m")
	p.line("inline constexpr Cast kCasts[] = {")
	for _, r := range casts {
		if modes := pick(c.family, r.on310P, r.on910B); modes != 0 {
			p.line("  {Elem::%s, Elem::%s, %#x, %v},", cppElem(r.From), cppElem(r.To), uint8(modes), r.DeqScale)
		}
	}
	p.line("};")
}

func (p *header) mmads(c *Chip) {
	p.line("struct Mmad { Elem a, b, c, bias; int64_t macsPerCycle; };")
	p.line("inline constexpr Mmad kMmads[] = {")
	for _, m := range c.Mmads() {
		p.line("  {Elem::%s, Elem::%s, Elem::%s, Elem::%s, %d},",
			cppElem(m.A), cppElem(m.B), cppElem(m.C), cppElem(m.Bias), c.At(m.Rate))
	}
	p.line("};")
}

func (p *header) drains(c *Chip) {
	p.line("// scale: 1 none, 2 scalar, 3 channel")
	p.line("struct Drain { const char *mode; Elem from, to; int scale; };")
	p.line("inline constexpr Drain kDrains[] = {")
	for _, d := range c.Drains() {
		p.line("  {%s, Elem::%s, Elem::%s, %d},", strconv.Quote(d.Mode), cppElem(d.From), cppElem(d.To), d.Scale)
	}
	p.line("};")
}

func (p *header) events(c *Chip) {
	p.line("struct Event { Core core; Pipe from, to; };")
	p.line("inline constexpr Event kEvents[] = {")
	for _, core := range c.Cores() {
		for _, e := range c.Events(core) {
			p.line("  {Core::%s, Pipe::%s, Pipe::%s},", core, e.From, e.To)
		}
	}
	p.line("};")
}

func (p *header) limits(c *Chip) {
	p.line("struct Limit { const char *api, *param; int64_t least, max, multiple; };")
	p.line("inline constexpr Limit kLimits[] = {")
	for _, l := range c.Limits() {
		p.line("  {%s, %s, %d, %d, %d},",
			strconv.Quote(l.API), strconv.Quote(l.Param), l.Least(), l.Max, l.Multiple)
	}
	p.line("};")
}

func (p *header) apis(c *Chip) {
	p.line("// bit e of types: Elem e")
	p.line("struct Api { const char *name8, *name9, *form; bool supported; uint32_t types; };")
	p.line("inline constexpr Api kApis[] = {")
	for _, a := range apis {
		p.line("  {%s, %s, %s, %v, %#x},", strconv.Quote(a.Name8), strconv.Quote(a.Name9), strconv.Quote(a.Form),
			a.On(c.family) == Yes, uint16(a.types(c.family)))
	}
	p.line("};")
}

// camel makes UbUsable of ub_usable.
func camel(snake string) string {
	var b strings.Builder
	for _, word := range strings.Split(snake, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}
