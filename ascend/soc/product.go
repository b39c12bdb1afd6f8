package soc

import (
	"fmt"
	"slices"
	"strings"

	"moge/quant"
)

// Product is what can be bought: chips on cards in a server.
type Product struct {
	Name        string // on the command line
	Title       string
	Aliases     []string
	Chip        string
	CardChips   Fact // chips on a card
	ServerChips Fact // chips in a server of the usual size
	MemoryBytes Fact // device memory of one chip that programs see
}

const readDecimal = "npu-smi's MB read as 10^6 bytes, the smaller reading"

// products is the table of products.
var products = []Product{
	{"300i-duo", "Atlas 300I Duo, 48 GB a card", []string{"300i-duo-48g", "atlas-300i-duo"}, "Ascend310P3",
		fact(2, Web), noted(8, Docs, "Atlas 800, model 3000: 4 cards"), noted(21_527_000_000, Web, readDecimal)},
	{"300i-duo-96g", "Atlas 300I Duo, 96 GB a card", []string{"atlas-300i-duo-96g"}, "Ascend310P3",
		fact(2, Web), noted(8, Docs, "Atlas 800, model 3000: 4 cards"), noted(44_280_000_000, Web, readDecimal)},
	{"800i-a2", "Atlas 800I A2, 32 GB a chip", []string{"800i-a2-32g", "atlas-800i-a2"}, "Ascend910B4",
		fact(1, Web), fact(8, Web), noted(32<<30, INI, "what the driver keeps is not known")},
}

// Products lists every product.
func Products() []Product {
	list := slices.Clone(products)
	for i := range list {
		list[i].Aliases = slices.Clone(list[i].Aliases)
	}
	return list
}

// chip finds the chip of a row of the table.
func (p Product) chip() *Chip {
	i := slices.IndexFunc(chips, func(c *Chip) bool { return c.name == p.Chip })
	if i < 0 {
		panic("BUG: product " + p.Name + " names no chip of the table")
	}
	return chips[i]
}

// Find gives the chip of a name: of a chip, of a product or one of its aliases, or a
// SOC_VERSION; "Ascend" may be left out and case does not matter. The error names the nearest
// name and lists all but the aliases.
func Find(name string) (*Chip, error) {
	p, err := FindProduct(name)
	if err != nil {
		return nil, err
	}
	return p.chip(), nil
}

// FindProduct gives the product of a name as Find takes it. A chip by its own name is a
// product of one chip with the memory of its ini.
func FindProduct(name string) (Product, error) {
	lower := strings.ToLower(name)
	for _, p := range Products() {
		if lower == p.Name || slices.Contains(p.Aliases, lower) {
			return p, nil
		}
	}
	for _, c := range chips {
		if slices.Contains(c.spellings(), lower) {
			one := noted(1, Assumed, "a chip by its own name")
			return Product{c.name, c.name, nil, c.name, one, one, c.Fact(DRAMBytes)}, nil
		}
	}
	return Product{}, unknownName(name)
}

// spellings are the names of a chip in lower case: its own, without Ascend, SOC_VERSION.
func (c *Chip) spellings() []string {
	own := strings.ToLower(c.name)
	return []string{own, strings.TrimPrefix(own, "ascend"), c.texts[SOCVersion].Value}
}

func unknownName(name string) error {
	names := Names()
	lower := make([]string, len(names))
	for i, n := range names {
		lower[i] = strings.ToLower(n)
	}
	nearest := names[slices.Index(lower, quant.Nearest(strings.ToLower(name), lower))]
	return fmt.Errorf("unknown chip or product %q: did you mean %q? known are %s",
		name, nearest, strings.Join(names, ", "))
}

// Names lists the names of products and chips, without aliases.
func Names() []string {
	var names []string
	for _, p := range products {
		names = append(names, p.Name)
	}
	for _, c := range chips {
		names = append(names, c.name)
	}
	return names
}
