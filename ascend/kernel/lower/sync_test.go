package lower

import (
	"strings"
	"testing"

	"moge/ascend/kernel"
	"moge/ascend/kernel/device"
)

// flagsOf is the body of a program with calls reduced to pipe, name and first operand.
func flagsOf(t *testing.T, write func(*kernel.Builder)) string {
	t.Helper()
	k := kernel.New("k", "test")
	write(k)
	text := device.Text(lowered(t, k))
	var out []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if !strings.HasPrefix(line, "  ") || strings.Contains(line, "take ") {
			continue
		}
		if i := strings.Index(line, "("); i > 0 && strings.Contains(line[:i], ".") {
			line = line[:i] + " " + strings.FieldsFunc(line[i+1:],
				func(r rune) bool { return strings.ContainsRune("@[,)", r) })[0]
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n") + "\n"
}

var row = kernel.VecTile(kernel.F32, 1, 64)

func in(k *kernel.Builder) *kernel.Global {
	return k.Input("x", kernel.F32, kernel.Matrix(n(64), 64))
}

func out(k *kernel.Builder) *kernel.Global {
	return k.Output("y", kernel.F32, kernel.Matrix(n(64), 64))
}

// derived are small programs with the flags that follow from them by hand.
var derived = []struct {
	name, want string
	write      func(*kernel.Builder)
}{
	{"once: load, compute, store", `
  MTE2.DataCopy t
  set tReady+0
  wait tReady+0
  V.Exp t
  set tReady2+0
  wait tReady2+0
  MTE3.DataCopy y
`, func(k *kernel.Builder) {
		x, y, a := in(k), out(k), k.Tile("t", row)
		k.Load(a, x.Rows(n(0), n(1)))
		k.Exp(a, a)
		k.Store(y.Rows(n(0), n(1)), a)
	}},
	{"doubly buffered copy: one slot is filled while the other is stored", `
  set tFree+0
  set tFree+1
  for i = 0..64 step 1
    wait tFree+tSlot
    MTE2.DataCopy t
    set tReady+tSlot
    wait tReady+tSlot
    MTE3.DataCopy y
    set tFree+tSlot
  wait tFree+0
  wait tFree+1
`, func(k *kernel.Builder) {
		x, y, r := in(k), out(k), k.Ring("t", 2, row)
		k.For("i", n(0), n(64), 1, func(i kernel.Int) {
			a := r.Next()
			k.Load(a, x.Rows(i, n(1)))
			k.Store(y.Rows(i, n(1)), a)
		})
	}},
	{"a tile read in a loop: no flag inside it", `
  MTE2.DataCopy g
  set gReady+0
  V.Duplicate t
  wait gReady+0
  for i = 0..rows step 1
    barrier V
    V.Add t
  set tReady+0
  wait tReady+0
  MTE3.DataCopy y
`, func(k *kernel.Builder) {
		rows := k.Param("rows", 0, 9)
		x, y, g, a := in(k), out(k), k.Tile("g", row), k.Tile("t", row)
		k.Load(g, x.Rows(n(0), n(1)))
		k.Fill(a, kernel.F(0))
		k.For("i", n(0), rows, 1, func(kernel.Int) { k.Add(a, a, g) })
		k.Store(y.Rows(n(0), n(1)), a)
	}},
	{"nested loops: primed outside both, so that loads go on across the outer one", `
  set tFree+0
  set tFree+1
  for i = 0..rows step 1
    for j = 0..rows step 1
      wait tFree+tSlot
      MTE2.DataCopy t
      set tReady+tSlot
      wait tReady+tSlot
      V.Exp t
      set tFree+tSlot
  wait tFree+0
  wait tFree+1
`, func(k *kernel.Builder) {
		rows := k.Param("rows", 0, 9)
		x, r := in(k), k.Ring("t", 2, row)
		k.For("i", n(0), rows, 1, func(kernel.Int) {
			k.For("j", n(0), rows, 1, func(kernel.Int) {
				a := r.Next()
				k.Load(a, x.Rows(n(0), n(1)))
				k.Exp(a, a)
			})
		})
	}},
	{"scalar read and write", `
  MTE2.DataCopy t
  set tReady+0
  wait tReady+0
  value = S.GetValue t
  S.SetValue t
  set tReady2+0
  wait tReady2+0
  V.Exp t
`, func(k *kernel.Builder) {
		x, a := in(k), k.Tile("t", row)
		k.Load(a, x.Rows(n(0), n(1)))
		v := k.ReadFloat("value", a)
		k.WriteFloat(a, v.Add(kernel.F(1)))
		k.Exp(a, a)
	}},
	{"written by the scalar unit before a phase, read in it and in the next", `
  S.SetValue t
  set tReady+0
  wait tReady+0
  phase first
    V.Exp a
    barrier ALL
  phase second
    V.Exp a2
`, func(k *kernel.Builder) {
		t := k.Tile("t", row)
		k.WriteFloat(t, kernel.F(1))
		k.Phase("first", func() { k.Exp(k.Tile("a", row), t) })
		k.Phase("second", func() { k.Exp(k.Tile("a", row), t) })
	}},
	{"what follows a phase may use its memory", `
  phase first
    V.Exp a
    barrier ALL
  V.Exp t
`, func(k *kernel.Builder) {
		k.Phase("first", func() { k.Exp(k.Tile("a", row), k.Tile("a2", row)) })
		k.Exp(k.Tile("t", row), k.Tile("t2", row))
	}},
	{"a barrier of all pipes in a loop that may not run", `
  S.SetValue t
  set tReady+0
  wait tReady+0
  for i = 0..rows step 1
    barrier ALL
    S.SyncAll syncArea
    barrier ALL
    V.Exp a
  set tReady2+0
  wait tReady2+0
  MTE3.DataCopy y
`, func(k *kernel.Builder) {
		t, y, rows := k.Tile("t", row), out(k), k.Param("rows", 0, 9)
		k.WriteFloat(t, kernel.F(1))
		k.For("i", n(0), rows, 1, func(kernel.Int) {
			k.SyncAll()
			k.Exp(k.Tile("a", row), t)
		})
		k.Store(y.Rows(n(0), n(1)), t)
	}},
	{"a stream: the load waits for the slot, the use for the load", `
  set tFree+0
  set tFree+1
  if 0 < rows
    wait tFree+tSlot
    MTE2.DataCopy t
    set tReady+tSlot
  for i = 0..rows step 1
    if (i + 1) < rows
      wait tFree+tSlot
      MTE2.DataCopy t
      set tReady+tSlot
    wait tReady+tSlot
    V.Exp t
    set tFree+tSlot
  wait tFree+0
  wait tFree+1
`, func(k *kernel.Builder) {
		rows := k.Param("rows", 0, 9)
		x, r := in(k), k.Ring("t", 2, row)
		var a kernel.Tile
		k.Stream("i", n(0), rows, 1, func(i kernel.Int) {
			a = r.Next()
			k.Load(a, x.Rows(i, n(1)))
		}, func(kernel.Int) { k.Exp(a, a) })
	}},
	{"a product in steps of depth: the halves of the left and right memories take turns", `
  MTE2.DataCopy a
  MTE2.DataCopy b
  set bReady+0
  set leftFree+0
  set leftFree+1
  wait bReady+0
  for k0 = 0..8192 step 2048
    wait leftFree+leftSlot
    MTE1.LoadData left
    MTE1.LoadData right
    set rightReady+leftSlot
    wait rightReady+leftSlot
    barrier M
    M.Mmad c
    set leftFree+leftSlot
  wait leftFree+0
  wait leftFree+1
`, func(k *kernel.Builder) {
		x := k.Input("x", kernel.I8, kernel.Fractal(16, 8192))
		a, b := k.Tile("a", kernel.MatTile(kernel.I8, 16, 8192)), k.Tile("b",
			kernel.MatTile(kernel.I8, 16, 8192))
		k.Load(a, x.All())
		k.Load(b, x.All())
		k.MatMul(k.Tile("c", kernel.AccTile(kernel.I32, 16, 16)), a, b, kernel.Always())
	}},
}

func TestDerivedFlags(t *testing.T) {
	for _, c := range derived {
		if got := flagsOf(t, c.write); got != strings.TrimPrefix(c.want, "\n") {
			t.Errorf("%s:\ngot:\n%s\nwant:%s", c.name, got, c.want)
		}
	}
}

// More flags than a pair of pipes has are merged; where that is not possible rings get fewer slots,
// and where that is not possible the error names who wants them.
func TestTooManyFlags(t *testing.T) {
	write := func(depth int) *kernel.Builder {
		k := kernel.New("k", "test")
		x := k.Input("x", kernel.F32, kernel.Matrix(n(64), 64))
		var rings []*kernel.Ring
		for range 3 {
			rings = append(rings, k.Ring("t", depth, kernel.VecTile(kernel.F32, 1, 64)))
		}
		k.For("i", n(0), n(64), 1, func(i kernel.Int) {
			var tiles []kernel.Tile
			for _, r := range rings {
				tiles = append(tiles, r.Next())
				k.Load(tiles[len(tiles)-1], x.Rows(i, n(1)))
			}
			for _, a := range tiles {
				k.Exp(a, a)
			}
		})
		return k
	}
	lowered(t, write(2))
	lowered(t, write(4))
	k := kernel.New("k", "test")
	x := k.Input("x", kernel.F32, kernel.Matrix(n(64), 64))
	r := k.Ring("t", 9, kernel.VecTile(kernel.F32, 1, 64))
	k.For("i", n(0), n(64), 1, func(i kernel.Int) {
		a := r.Next()
		k.Load(a, x.Rows(i, n(1)))
		k.Exp(a, a)
	})
	if got := lowered(t, k).Buffers[0].Depth; got != 8 {
		t.Errorf("a ring of 9 has %d slots with 8 flags", got)
	}
	k = kernel.New("k", "test")
	x = k.Input("x", kernel.F32, kernel.Matrix(n(64), 64))
	r = k.Ring("t", 9, kernel.VecTile(kernel.F32, 1, 64))
	k.For("i", n(0), n(64), 1, func(i kernel.Int) {
		for range 9 {
			a := r.Next()
			k.Load(a, x.Rows(i, n(1)))
			k.Exp(a, a)
		}
	})
	_, err := Lower(build(t, k), chip310P(t))
	want := "kernel k: derive flags: Ascend310P3 has 8 flags from MTE2 to V that a kernel may set " +
		"(asc-devkit docs), " +
		"but these need more: t (9); use fewer slots or tiles"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
