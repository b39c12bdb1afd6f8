package tokenizer

import (
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// Builders for the parts of a ModelProto.

func bytesField(num protowire.Number, val []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), val)
}

func varintField(num protowire.Number, val uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), val)
}

func scoreField(score float32) []byte {
	tag := protowire.AppendTag(nil, 2, protowire.Fixed32Type)
	return protowire.AppendFixed32(tag, math.Float32bits(score))
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func pieceField(text string, typ pieceType) []byte {
	return bytesField(1, join(bytesField(1, []byte(text)), varintField(3, uint64(typ))))
}

var (
	unkField = pieceField("<unk>", typeUnknown)
	bpeField = bytesField(2, varintField(3, modelTypeBPE))
)

func TestModelErrors(t *testing.T) {
	const at = "tokenizer.model: "
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, at + "pieces: no pieces: not a sentencepiece model"},
		{"bad tag", []byte{0x80}, at + "at byte 0: bad field tag: it goes past the end"},
		{"field number 0", []byte{0, 0}, at + "at byte 0: bad field tag: it is malformed"},
		{"cut value", []byte{0x0a, 0x7f, 'x'},
			at + "at byte 1: bad value of field 1: it goes past the end"},
		{"group without end", []byte{0x3b},
			at + "at byte 1: bad value of field 7: it goes past the end"},
		{"huge length", []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
			at + "at byte 1: bad value of field 1: it goes past the end"},
		{"piece as number", varintField(1, 5), at + "pieces[0] at byte 1: wire type 0, want 2"},
		{"empty piece", bytesField(1, scoreField(1)), at + "pieces[0] at byte 2: the piece has no text"},
		{"piece text", bytesField(1, bytesField(1, []byte("a\xff"))),
			at + `pieces[0].piece at byte 4: text is not UTF-8: "a\xff"`},
		{"long piece", bytesField(1, bytesField(1, make([]byte, 5000))),
			at + "pieces[0].piece at byte 6: 5000 bytes of text, more than 4096"},
		{"piece type", join(unkField, pieceField("a", 7)),
			at + "pieces[1].type at byte 17: unknown piece type 7"},
		{"score wire", bytesField(1, varintField(2, 1)),
			at + "pieces[0].score at byte 3: wire type 0, want 5"},
		{"score NaN", bytesField(1, scoreField(float32(math.NaN()))),
			at + "pieces[0].score at byte 3: score NaN is not finite"},
		{"unigram", join(unkField, bytesField(2, varintField(3, 1))), at +
			"trainer_spec.model_type: model type 1 is not supported, only BPE (2) is"},
		{"no trainer", unkField, at +
			"trainer_spec.model_type: model type 1 is not supported, only BPE (2) is"},
		{"suffix", join(unkField, bpeField, bytesField(2, varintField(24, 1))),
			at + "trainer_spec.treat_whitespace_as_suffix: true is not supported"},
		{"charsmap", join(unkField, bpeField, bytesField(3, bytesField(2, []byte("abc")))),
			at + "normalizer_spec.precompiled_charsmap at byte 19: a character map of 3 bytes is " +
				"not supported, only the identity normalization is"},
		{"denormalizer", join(unkField, bpeField, bytesField(5, bytesField(2, []byte("abc")))),
			at + "denormalizer_spec.precompiled_charsmap at byte 19: a character map of 3 bytes is " +
				"not supported, only the identity normalization is"},
		{"no unknown", join(pieceField("a", typeNormal), bpeField),
			at + "pieces: no piece of type unknown"},
		{"two unknown", join(unkField, pieceField("u", typeUnknown), bpeField),
			at + "pieces[1]: a second unknown piece; 0 is one"},
		{"twice", join(unkField, pieceField("<unk>", typeNormal), bpeField),
			at + `pieces[1]: "<unk>" is piece 0 already`},
		{"byte without fallback", join(unkField, pieceField("<0x41>", typeByte), bpeField),
			at + `pieces[1]: byte piece "<0x41>" although byte_fallback is false`},
		{"byte text", join(unkField, pieceField("<0x4a>", typeByte), bpeField,
			bytesField(2, varintField(35, 1))),
			at + `pieces[1]: byte piece "<0x4a>" is not of the form <0x41>`},
		{"missing byte", join(unkField, pieceField("<0x00>", typeByte), bpeField,
			bytesField(2, varintField(35, 1))),
			at + "pieces: byte_fallback is true but there is no byte piece <0x01>"},
	} {
		_, err := FromFiles(mapFiles(map[string][]byte{modelFile: c.data}))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestModelUnknownFields puts fields of every wire type between the known ones.
func TestModelUnknownFields(t *testing.T) {
	group := join([]byte{0xc3, 0x0c}, varintField(1, 7), []byte{0xc4, 0x0c}) // field 200
	fixed64 := protowire.AppendFixed64(
		protowire.AppendTag(nil, 201, protowire.Fixed64Type), 1)
	extra := join(group, fixed64, varintField(202, 1), bytesField(203, []byte("x")))
	tok, err := FromFiles(mapFiles(map[string][]byte{modelFile: join(
		extra, unkField, extra, bytesField(1, join(extra, bytesField(1, []byte("a")))),
		bytesField(2, join(extra, varintField(3, modelTypeBPE), extra)),
	)}))
	if err != nil {
		t.Fatal(err)
	}
	if tok.Size() != 2 || tok.Piece(1) != "a" {
		t.Errorf("size %d, piece 1 %q", tok.Size(), tok.Piece(1))
	}
}

// TestMergeOrder pins the rule of equal scores: the leftmost pair merges first, and a
// better score beats the position.
func TestMergeOrder(t *testing.T) {
	scored := func(text string, score float32) []byte {
		return bytesField(1, join(bytesField(1, []byte(text)), scoreField(score)))
	}
	plain := bytesField(3, join(varintField(3, 0), varintField(4, 0)))
	tok, err := FromFiles(mapFiles(map[string][]byte{modelFile: join(
		unkField, scored("a", 0), scored("b", 0), scored("c", 0),
		scored("aa", -1), scored("ab", -1), scored("bc", -0.5), bpeField, plain,
	)}))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]int32{
		"aaa": {4, 1}, "aab": {4, 2}, "abc": {1, 6}, "aabc": {4, 6}, "ab": {5},
	} {
		if got := tok.Encode(text); !slices.Equal(got, want) {
			t.Errorf("Encode(%q) = %v, want %v", text, got, want)
		}
	}
}

func FuzzModel(f *testing.F) {
	f.Add(join(unkField, pieceField("ab", typeNormal), bpeField))
	f.Add(join(unkField, pieceField("a", typeUnused), pieceField("aa", typeUserDefined), bpeField))
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := FromFiles(mapFiles(map[string][]byte{modelFile: data}))
		if err != nil {
			return
		}
		for _, id := range tok.Encode("a ab\n<s>é") {
			if tok.Piece(id) == "" {
				t.Fatalf("id %d has no piece", id)
			}
		}
	})
}
