package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// Parse reads the text that Print writes and verifies the graph. name is used in errors,
// which carry line numbers.
func Parse(name, text string) (*Graph, error) {
	p := &parser{lines: strings.Split(text, "\n"), b: NewBuilder("")}
	if err := p.graph(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, p.at, err)
	}
	g, err := p.b.Finish()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

type parser struct {
	lines  []string
	at     int // number of the current line, from 1
	b      *Builder
	values []*Value
}

func (p *parser) next() (string, bool) {
	if p.at >= len(p.lines) {
		return "", false
	}
	p.at++
	return p.lines[p.at-1], true
}

func (p *parser) graph() error {
	if line, _ := p.next(); line != fmt.Sprintf("moge.ir %d", textVersion) {
		return fmt.Errorf("first line is %q, want %q", clip(line), fmt.Sprintf("moge.ir %d", textVersion))
	}
	line, _ := p.next()
	quoted, ok := strings.CutPrefix(line, "graph ")
	name, err := strconv.Unquote(quoted)
	if !ok || err != nil || strconv.Quote(name) != quoted {
		return fmt.Errorf("second line is %q, want graph \"name\"", clip(line))
	}
	p.b.Graph.Name = name
	for {
		line, ok := p.next()
		if !ok {
			return fmt.Errorf("the text does not end with a newline")
		}
		if line == "" {
			break
		}
		if err := p.line(line); err != nil {
			return err
		}
	}
	if p.at != len(p.lines) {
		return fmt.Errorf("text after the empty line")
	}
	return nil
}

func (p *parser) line(line string) error {
	if rest, ok := strings.CutPrefix(line, "meta "); ok {
		return p.meta(rest)
	}
	if rest, ok := strings.CutPrefix(line, "output "); ok {
		return p.output(rest)
	}
	if len(p.b.Graph.Outputs) > 0 {
		return fmt.Errorf("a node after an output")
	}
	return p.node(line)
}

func (p *parser) meta(rest string) error {
	c := cursor{rest: rest}
	key, value := c.quoted(), ""
	c.want(" = ")
	value = c.quoted()
	if err := c.end(); err != nil {
		return err
	}
	g := p.b.Graph
	if len(g.Nodes) > 0 || len(g.Meta) > 0 && g.Meta[len(g.Meta)-1].Key >= key {
		return fmt.Errorf("meta %q is out of order", key)
	}
	g.Meta = append(g.Meta, Meta{key, value})
	return nil
}

func (p *parser) output(rest string) error {
	c := cursor{rest: rest}
	name := c.quoted()
	c.want(" = ")
	v := p.value(&c)
	if err := c.end(); err != nil {
		return err
	}
	p.b.Output(name, v)
	return nil
}

// value reads %7, which must be defined already.
func (p *parser) value(c *cursor) *Value {
	n := c.number()
	if c.err == nil && n >= len(p.values) {
		c.fail("%%%d is not defined", n)
	}
	if c.err != nil {
		return nil
	}
	return p.values[n]
}

func (p *parser) node(line string) error {
	c := cursor{rest: line}
	results := 0
	for {
		if n := c.number(); c.err == nil && n != len(p.values)+results {
			c.fail("result %%%d, want %%%d", n, len(p.values)+results)
		}
		results++
		if !c.skip(", ") {
			break
		}
	}
	c.want(" = ")
	name := c.word("(")
	op, known := ParseOp(name)
	if c.err == nil && !known {
		c.fail("unknown op %q", clip(name))
	}
	args := p.args(&c)
	if c.err != nil {
		return c.err
	}
	attrs := attributes(&c, op.row())
	site := ""
	if c.skip(" @") {
		site = c.word(" ")
	}
	types := resultTypes(&c, results)
	if err := c.end(); err != nil {
		return err
	}
	return p.add(op, site, types, args, attrs)
}

func (p *parser) add(op Op, site string, types []Type, args []*Value, attrs []Attr) error {
	values := p.b.AddTyped(op, site, types, args, attrs...)
	if err := p.b.Err(); err != nil {
		return err
	}
	if len(values) != len(types) {
		return fmt.Errorf("%s has %d results, %d are named", op, len(values), len(types))
	}
	for i, v := range values {
		if !v.Type.Equal(types[i]) {
			return fmt.Errorf("result %d of %s is %v, but %v is stated", i, op, v.Type, types[i])
		}
	}
	if got := values[0].Def.Attrs; len(got) != len(attrs) {
		return fmt.Errorf("an attribute of %s is given twice", op)
	}
	p.values = append(p.values, values...)
	return nil
}

func (p *parser) args(c *cursor) []*Value {
	c.want("(")
	if c.skip(")") {
		return nil
	}
	var args []*Value
	for {
		args = append(args, p.value(c))
		if !c.skip(", ") {
			break
		}
	}
	c.want(")")
	return args
}

// attributes reads {a=1, b="x"} in the order of the row.
func attributes(c *cursor, row *opRow) []Attr {
	if !c.skip(" {") {
		return nil
	}
	var attrs []Attr
	after := -1
	for c.err == nil {
		name := c.word("=")
		c.want("=")
		i := row.attrIndex(name)
		if c.err == nil && i <= after {
			c.fail("attribute %q is unknown or out of order", clip(name))
		}
		if c.err != nil {
			return nil
		}
		after = i
		a, err := parseAttr(name, row.attrs[i].kind, c.attrText(row.attrs[i].kind))
		if err != nil {
			c.fail("%v", err)
		}
		attrs = append(attrs, a)
		if !c.skip(", ") {
			break
		}
	}
	c.want("}")
	return attrs
}

func resultTypes(c *cursor, count int) []Type {
	types := make([]Type, count)
	for i := range types {
		c.want([]string{" : ", ", "}[min(i, 1)])
		t, err := ParseType(c.typeText())
		if err != nil && c.err == nil {
			c.err = err
		}
		types[i] = t
	}
	return types
}
