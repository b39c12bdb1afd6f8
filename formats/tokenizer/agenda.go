package tokenizer

// merge is a pair of neighbouring symbols whose joined text is a piece.
type merge struct {
	score       float32
	left, right int // indices of the symbols
	size        int // bytes of the joined text, which dates the entry
}

// before orders merges: best score first, then the leftmost.
func (m merge) before(o merge) bool {
	if m.score != o.score {
		return m.score > o.score
	}
	return m.left < o.left
}

// agenda is a binary heap of merges, the first on top.
type agenda struct {
	heap  []merge
	steps int // levels walked, the work done so far
}

func (a *agenda) push(m merge) {
	a.heap = append(a.heap, m)
	i := len(a.heap) - 1
	for i > 0 {
		a.steps++
		parent := (i - 1) / 2
		if !m.before(a.heap[parent]) {
			break
		}
		a.heap[i] = a.heap[parent]
		i = parent
	}
	a.heap[i] = m
}

// pop removes the top; the agenda must not be empty.
func (a *agenda) pop() merge {
	top := a.heap[0]
	last := len(a.heap) - 1
	m := a.heap[last]
	a.heap = a.heap[:last]
	if last > 0 {
		a.sink(m)
	}
	return top
}

func (a *agenda) sink(m merge) {
	i := 0
	for {
		a.steps++
		child := 2*i + 1
		if child >= len(a.heap) {
			break
		}
		if r := child + 1; r < len(a.heap) && a.heap[r].before(a.heap[child]) {
			child = r
		}
		if !a.heap[child].before(m) {
			break
		}
		a.heap[i] = a.heap[child]
		i = child
	}
	a.heap[i] = m
}
