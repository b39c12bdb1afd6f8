package kernels

import (
	"fmt"

	"moge/ascend/kernel"
	"moge/ascend/soc"
)

// Tiling is how a streamed product is cut (see product).
type Tiling struct {
	Parts  int  // shares of the work, one for each core
	Rows   int  // most rows of activations of a pass, a multiple of 16
	Cols   int  // columns of weights of a chunk, which one DMA brings to L1
	Step   int  // columns of one accumulator; divides Cols
	Staged bool // rows of the next pass are fetched during the present one
	// Cycles is what the cost model predicts for the busiest core.
	Cycles int
}

// String is the tiling on one line.
func (t Tiling) String() string {
	return fmt.Sprintf("%d parts, %d rows, %d columns a chunk, %d a step, staged %v",
		t.Parts, t.Rows, t.Cols, t.Step, t.Staged)
}

// TilingError says that no tiling of a shape is legal on a chip.
type TilingError struct{ Kernel, Chip, Shape string }

// Error names kernel, chip and shape, and what would help.
func (e *TilingError) Error() string {
	return fmt.Sprintf("kernel %s: no tiling of %s fits the memories of %s; "+
		"use a smaller inner width, or share the layer among more chips", e.Kernel, e.Shape, e.Chip)
}

// productShape is what tilings of a streamed product depend on.
type productShape struct {
	name      string
	n, k      int // columns and depth of the weights of a pass; k padded to a fractal
	block     int // columns of a unit of work
	weights   kernel.Elem
	maxRows   int // most rows that one expert can have
	rows      int // rows of a pass that the cost is taken at
	passes    int // passes that the cost is taken at, of at most rows each
	maxPasses func(rows int) int
	rawRow    int // bytes of a row as it is fetched
	channels  int // vectors of f32 with an element for each column
	swiglu    bool
	outBytes  int // of an element of the result
	work      int // bytes of UB that preparing a row takes
	lists     int // lists of passes in UB, none of them longer than that of the tiling
	kept      int // bytes of UB that other tilings of the kernel keep
}

func (s productShape) String() string {
	return fmt.Sprintf("[%d, %d] x [%d, %d] %s", s.maxRows, s.k, s.n, s.k, s.weights)
}

// Limits of the search: rows of a pass, and columns of an accumulator beyond which steps gain
// nothing.
const (
	maxPassRows = 128
	maxStepCols = 256
	// wholeDMA is the least size of a chunk that hides the set-up of its DMA: at 17 bytes a cycle,
	// 422 cycles are 3.5 percent of it.
	wholeDMA = 192 << 10
)

// tilings lists the legal tilings on a chip, in a fixed order.
func (s productShape) tilings(chip *soc.Chip) []Tiling {
	var out []Tiling
	parts := int(chip.At(soc.AICores))
	for rows := 16; rows <= maxPassRows && (rows == 16 || rows < s.maxRows+16); rows += 16 {
		for _, staged := range []bool{true, false} {
			for cols := s.block; cols < s.n+s.block; cols += s.block {
				for step := s.block; step <= min(cols, maxStepCols); step += s.block {
					t := Tiling{Parts: parts, Rows: rows, Cols: cols, Step: step, Staged: staged}
					if cols%step == 0 && s.fits(t, chip) {
						t.Cycles = int(s.cycles(t, chip))
						out = append(out, t)
					}
				}
			}
		}
	}
	return out
}

// choose picks the legal tiling of least cost; the first of equals. Chunks that hide their DMA's
// set-up come before all that do not.
func (s productShape) choose(chip *soc.Chip) (Tiling, error) {
	var best Tiling
	for _, t := range s.tilings(chip) {
		better := s.whole(t) && !s.whole(best) ||
			s.whole(t) == s.whole(best) && t.Cycles < best.Cycles
		if best.Rows == 0 || better {
			best = t
		}
	}
	if best.Rows == 0 {
		return best, &TilingError{s.name, chip.Name(), s.String()}
	}
	return best, nil
}

func (s productShape) whole(t Tiling) bool {
	return t.Cols*s.k*size(s.weights) >= min(wholeDMA, s.n*s.k*size(s.weights))
}

func size(e kernel.Elem) int { return e.Bits() / 8 }

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func alignUp(a, b int) int { return ceilDiv(a, b) * b }

// fits reports whether the tiles of t fit the memories of the chip.
func (s productShape) fits(t Tiling, chip *soc.Chip) bool {
	l1 := (t.Rows + 2*t.Cols) * s.k * size(s.weights)
	return int64(l1) <= chip.At(soc.L1Usable) &&
		int64(2*t.Rows*t.Step*4) <= chip.At(soc.L0CBytes) &&
		int64(t.Rows*kernel.Block) <= chip.At(soc.L0ABytes)/2 &&
		int64(s.vectorBytes(t)) <= chip.At(soc.UBUsable)
}

// vectorBytes is the UB that product and its users allocate.
func (s productShape) vectorBytes(t Tiling) int {
	stepTile := t.Rows * t.Step
	bytes := 8*stepTile + t.Rows*lanes*4*4 + s.work // drained and wide, scales of rows
	out := 2 * stepTile * s.outBytes
	if s.swiglu {
		bytes += stepTile*4 + out/2
	} else {
		bytes += out
	}
	bytes += s.channels * s.channelBytes(t)
	bytes += s.stageRows(t) * s.rawRow
	return bytes + s.lists*s.listBytes(t) + s.kept
}

// listBytes is the UB of one list of passes, and of what it is made from.
func (s productShape) listBytes(t Tiling) int { return 12 * (s.maxPasses(t.Rows) + 2*lanes) }

// stageRows is the rows of UB that fetched rows pass through.
func (s productShape) stageRows(t Tiling) int {
	if t.Staged {
		return t.Rows
	}
	return 2 * s.groupRows(t)
}

// groupRows is the rows that are fetched together when they are not staged.
func (s productShape) groupRows(t Tiling) int {
	return max(1, min(t.Rows, 32<<10/s.rawRow))
}

// maxWindow bounds the UB of one channel vector that stays for a pass.
const maxWindow = 24 << 10

// window is the units of a channel vector that one core needs at once.
func (s productShape) window(t Tiling) int {
	blocks := s.n / s.block
	return min(blocks, s.maxPasses(t.Rows)*blocks/t.Parts+1)
}

// windowed reports whether channel vectors are loaded for a pass; otherwise with each chunk.
func (s productShape) windowed(t Tiling) bool { return s.window(t)*s.block*4 <= maxWindow }

func (s productShape) channelBytes(t Tiling) int {
	if s.windowed(t) {
		return 2*s.window(t)*s.block*4 + t.Cols*4
	}
	return 2 * 4 * 2 * t.Cols
}

// Rates that no table has: cycles to start a call of the vector unit and of the matrix unit.
const startCycles = 16

// cycles is the cost of t on the busiest core: the longest of its pipes, and what no other pipe
// hides: fetching before the first product and the last chunk's arithmetic.
func (s productShape) cycles(t Tiling, chip *soc.Chip) float64 {
	dma, rate := float64(chip.At(soc.DMASetup)), float64(chip.At(soc.DDRRate))
	perPass := ceilDiv(s.rows, t.Rows)
	rows := alignUp(min(s.rows, t.Rows), 16)
	blocks := s.n / s.block
	passes := s.passes * perPass
	units := float64(passes*blocks) / float64(t.Parts)
	chunks := ceilDiv(int(units), t.Cols/s.block)
	lastCols := t.Cols
	if passes%t.Parts == 0 { // shares end where passes do
		whole := ceilDiv(s.n, t.Cols) // chunks of a pass
		chunks = passes / t.Parts * whole
		lastCols = s.n - (whole-1)*t.Cols
	}
	begun := float64(passes)/float64(t.Parts) + 1
	fetch := dma + float64(min(s.rows, t.Rows)*s.rawRow)/rate + float64(s.channels+1)*dma
	if !t.Staged {
		fetch += dma * float64(ceilDiv(rows, s.groupRows(t)))
	}
	setUp, column := dma, float64(s.k*size(s.weights))/rate
	if !s.windowed(t) {
		setUp += float64(s.channels) * dma
	}
	moved := begun*fetch + float64(chunks)*setUp + units*float64(s.block)*column
	compute, last := s.chunkCycles(t, chip, rows, t.Cols), s.chunkCycles(t, chip, rows, lastCols)
	behind := max(0, compute-setUp-float64(lastCols)*column)
	return max(moved, float64(chunks)*compute) + behind + last + dma*float64(s.stores(t, lastCols))
}

// stores is the DMAs that no arithmetic hides: those of the last step of a chunk of so many columns.
func (s productShape) stores(t Tiling, cols int) int {
	return max(1, cols%t.Step/16)
}

// chunkCycles is the arithmetic of one chunk of so many columns: the product's loads and its
// multiplications overlap, the drain comes after.
func (s productShape) chunkCycles(t Tiling, chip *soc.Chip, rows, cols int) float64 {
	steps := float64(ceilDiv(cols, t.Step))
	es := size(s.weights)
	bytesA, bytesB := float64(rows*s.k*es), float64(t.Step*s.k*es)
	macs := float64(chip.At(soc.MACInt8))
	if es == 2 {
		macs = float64(chip.At(soc.MACHalf))
	}
	left, right := int(chip.At(soc.L0ABytes))/2, int(chip.At(soc.L0BBytes))/2
	kStep := min(s.k, left/(t.Rows*es), right/(t.Step*es))
	issues := float64(ceilDiv(s.k, max(kStep, kernel.Block/es)))
	loads := bytesA/float64(chip.At(soc.L1L0ARate)) + bytesB/float64(chip.At(soc.L1L0BRate))
	if t.Step != t.Cols {
		loads += startCycles * float64(s.k*es/kernel.Block)
	}
	loads += issues * startCycles * float64(1+t.Rows/16)
	multiply := float64(rows*t.Step*s.k)/macs + issues*startCycles
	lanes := float64(chip.At(soc.LanesFloat))
	calls := float64(t.Step/16) * 3 * (startCycles + float64(rows))
	drain := 3*float64(rows*t.Step)/lanes + calls
	if s.swiglu {
		drain += 12 * float64(rows*t.Step) / lanes
	}
	return steps*max(loads, multiply) + drain
}

// check refuses tilings, of a field of the spec, that no search would list on any chip.
func (s productShape) check(field string, t Tiling) error {
	c := specCheck{kernel: s.name}
	c.multiple(field+".Parts", t.Parts, 1)
	c.multiple(field+".Rows", t.Rows, kernel.FractalRows)
	c.multiple(field+".Step", t.Step, s.block)
	c.multiple(field+".Cols", t.Cols, max(t.Step, 1))
	c.between(field+".Cols", t.Cols, s.block, s.n)
	return c.err
}
