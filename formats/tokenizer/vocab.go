package tokenizer

import "fmt"

// vocab finds pieces by their text. One text names one piece: sentencepiece allows a
// reserved and a normal piece of the same text, which no encoder can tell apart.
type vocab struct {
	*model
	ids      map[string]int32
	unk      int32
	byteID   [256]int32
	byteOf   []int16 // value of a byte piece, -1 for any other
	maxBytes int     // longest piece
	unused   bool    // some piece is of type unused
}

func newVocab(m *model) (*vocab, error) {
	v := &vocab{
		model: m, unk: -1,
		ids:    make(map[string]int32, len(m.pieces)),
		byteOf: make([]int16, len(m.pieces)),
	}
	for b := range v.byteID {
		v.byteID[b] = -1
	}
	for i, p := range m.pieces {
		if err := v.add(int32(i), p); err != nil {
			return nil, err
		}
	}
	return v, v.check()
}

func (v *vocab) add(id int32, p piece) error {
	field := fmt.Sprintf("pieces[%d]", id)
	if first, ok := v.ids[p.text]; ok {
		return configError(modelFile, field, "%q is piece %d already", p.text, first)
	}
	v.ids[p.text] = id
	v.byteOf[id] = -1
	v.maxBytes = max(v.maxBytes, len(p.text))
	switch p.typ {
	case typeUnused:
		v.unused = true
	case typeUnknown:
		if v.unk >= 0 {
			return configError(modelFile, field, "a second unknown piece; %d is one", v.unk)
		}
		v.unk = id
	case typeByte:
		return v.addByte(id, field, p.text)
	}
	return nil
}

func (v *vocab) addByte(id int32, field, text string) error {
	if !v.byteFallback {
		return configError(modelFile, field, "byte piece %q although byte_fallback is false", text)
	}
	b, ok := pieceByte(text)
	if !ok {
		return configError(modelFile, field, "byte piece %q is not of the form <0x41>", text)
	}
	v.byteID[b], v.byteOf[id] = id, int16(b)
	return nil
}

func (v *vocab) check() error {
	if v.unk < 0 {
		return configError(modelFile, "pieces", "no piece of type unknown")
	}
	if !v.byteFallback {
		return nil
	}
	for b, id := range v.byteID {
		if id < 0 {
			return configError(modelFile, "pieces",
				"byte_fallback is true but there is no byte piece <0x%02X>", b)
		}
	}
	return nil
}

// pieceByte reads the text of a byte piece, two upper-case hexadecimal digits.
func pieceByte(text string) (byte, bool) {
	if len(text) != len("<0x00>") || text[:3] != "<0x" || text[5] != '>' {
		return 0, false
	}
	hi, ok1 := hexDigit(text[3])
	lo, ok2 := hexDigit(text[4])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// typed returns the id of a piece if it is of the type, as sentencepiece's bos_id() and
// its like do, or -1.
func (v *vocab) typed(text string, typ pieceType) int32 {
	if id, ok := v.ids[text]; ok && v.pieces[id].typ == typ {
		return id
	}
	return -1
}
