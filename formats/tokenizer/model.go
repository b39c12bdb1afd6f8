package tokenizer

import (
	"fmt"
	"math"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	modelFile = "tokenizer.model"

	maxModelBytes = 64 << 20
	maxPieces     = 1 << 22
	maxPieceBytes = 1 << 12
)

// pieceType is SentencePiece.Type of sentencepiece_model.proto.
type pieceType uint8

const (
	typeNormal      pieceType = 1
	typeUnknown     pieceType = 2
	typeControl     pieceType = 3
	typeUserDefined pieceType = 4
	typeUnused      pieceType = 5
	typeByte        pieceType = 6
)

// mergeable tells the pieces that a merge may make from the reserved ones.
func (p pieceType) mergeable() bool {
	return p == typeNormal || p == typeUserDefined || p == typeUnused
}

type piece struct {
	text  string
	score float32
	typ   pieceType
}

// model is what a ModelProto says about encoding and decoding; the defaults are those of
// sentencepiece_model.proto.
type model struct {
	pieces []piece

	modelType     uint64
	spaceAsSuffix bool
	byteFallback  bool
	unkSurface    string
	unkPiece      string
	bosPiece      string
	eosPiece      string
	padPiece      string

	addDummyPrefix   bool
	removeExtraSpace bool
	escapeSpace      bool
}

const modelTypeBPE = 2

// parseModel reads a ModelProto. Fields that neither encoding nor decoding needs are
// skipped; everything that would change the result but is not implemented is refused.
func parseModel(data []byte) (*model, error) {
	if len(data) > maxModelBytes {
		return nil, configError(modelFile, "", "%d bytes, more than the %d that are read",
			len(data), maxModelBytes)
	}
	m := &model{
		modelType: 1, unkSurface: " \u2047 ",
		unkPiece: "<unk>", bosPiece: "<s>", eosPiece: "</s>", padPiece: "<pad>",
		addDummyPrefix: true, removeExtraSpace: true, escapeSpace: true,
	}
	if err := walk(data, 0, "", m.visitModel); err != nil {
		return nil, err
	}
	return m, m.check()
}

func (m *model) check() error {
	if len(m.pieces) == 0 {
		return configError(modelFile, "pieces", "no pieces: not a sentencepiece model")
	}
	if m.modelType != modelTypeBPE {
		return configError(modelFile, "trainer_spec.model_type",
			"model type %d is not supported, only BPE (%d) is", m.modelType, modelTypeBPE)
	}
	if m.spaceAsSuffix {
		return configError(modelFile, "trainer_spec.treat_whitespace_as_suffix",
			"true is not supported")
	}
	return nil
}

func (m *model) visitModel(f wireField) error {
	switch f.num {
	case 1:
		f.path = fmt.Sprintf("pieces[%d]", len(m.pieces))
		return m.addPiece(f)
	case 2:
		f.path = "trainer_spec"
		return f.message(m.visitTrainer)
	case 3:
		f.path = "normalizer_spec"
		return f.message(m.visitNormalizer)
	case 5:
		f.path = "denormalizer_spec"
		return f.message(visitDenormalizer)
	}
	return nil
}

func (f wireField) message(visit func(wireField) error) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	return walk(f.bytes, f.off, f.path, visit)
}

func (m *model) addPiece(f wireField) error {
	if len(m.pieces) == maxPieces {
		return f.errorf("more than %d pieces", maxPieces)
	}
	p := piece{typ: typeNormal}
	if err := f.message(p.visit); err != nil {
		return err
	}
	if p.text == "" {
		return f.errorf("the piece has no text")
	}
	m.pieces = append(m.pieces, p)
	return nil
}

func (p *piece) visit(f wireField) error {
	switch f.num {
	case 1:
		f.path += ".piece"
		return f.text(&p.text, maxPieceBytes)
	case 2:
		f.path += ".score"
		return f.score(&p.score)
	case 3:
		f.path += ".type"
		return f.pieceType(&p.typ)
	}
	return nil
}

func (m *model) visitTrainer(f wireField) error {
	switch f.num {
	case 3:
		f.path += ".model_type"
		m.modelType = f.number
		return f.want(protowire.VarintType)
	case 24:
		f.path += ".treat_whitespace_as_suffix"
		return f.bool(&m.spaceAsSuffix)
	case 35:
		f.path += ".byte_fallback"
		return f.bool(&m.byteFallback)
	case 44:
		f.path += ".unk_surface"
		return f.text(&m.unkSurface, maxPieceBytes)
	case 45:
		f.path += ".unk_piece"
		return f.text(&m.unkPiece, maxPieceBytes)
	case 46:
		f.path += ".bos_piece"
		return f.text(&m.bosPiece, maxPieceBytes)
	case 47:
		f.path += ".eos_piece"
		return f.text(&m.eosPiece, maxPieceBytes)
	case 48:
		f.path += ".pad_piece"
		return f.text(&m.padPiece, maxPieceBytes)
	}
	return nil
}

func (m *model) visitNormalizer(f wireField) error {
	switch f.num {
	case 2:
		f.path += ".precompiled_charsmap"
		return f.emptyMap()
	case 3:
		f.path += ".add_dummy_prefix"
		return f.bool(&m.addDummyPrefix)
	case 4:
		f.path += ".remove_extra_whitespaces"
		return f.bool(&m.removeExtraSpace)
	case 5:
		f.path += ".escape_whitespaces"
		return f.bool(&m.escapeSpace)
	}
	return nil
}

func visitDenormalizer(f wireField) error {
	if f.num != 2 {
		return nil
	}
	f.path += ".precompiled_charsmap"
	return f.emptyMap()
}

func (f wireField) emptyMap() error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	if len(f.bytes) > 0 {
		return f.errorf("a character map of %d bytes is not supported, "+
			"only the identity normalization is", len(f.bytes))
	}
	return nil
}

func (f wireField) bool(dst *bool) error {
	*dst = f.number != 0
	return f.want(protowire.VarintType)
}

func (f wireField) text(dst *string, limit int) error {
	if err := f.want(protowire.BytesType); err != nil {
		return err
	}
	if len(f.bytes) > limit {
		return f.errorf("%d bytes of text, more than %d", len(f.bytes), limit)
	}
	if !utf8.Valid(f.bytes) {
		return f.errorf("text is not UTF-8: %q", f.bytes[:min(len(f.bytes), 32)])
	}
	*dst = string(f.bytes)
	return nil
}

func (f wireField) score(dst *float32) error {
	if err := f.want(protowire.Fixed32Type); err != nil {
		return err
	}
	*dst = math.Float32frombits(uint32(f.number))
	if math.IsNaN(float64(*dst)) || math.IsInf(float64(*dst), 0) {
		return f.errorf("score %v is not finite", *dst)
	}
	return nil
}

func (f wireField) pieceType(dst *pieceType) error {
	if err := f.want(protowire.VarintType); err != nil {
		return err
	}
	if f.number < uint64(typeNormal) || f.number > uint64(typeByte) {
		return f.errorf("unknown piece type %d", f.number)
	}
	*dst = pieceType(f.number)
	return nil
}
