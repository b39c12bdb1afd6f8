package kernel

import "strings"

// reservedWords are names that the printed kernel or its language gives another meaning.
var reservedWords = words(`
	alignas alignof and asm auto bool break case catch char class const constexpr continue decltype
	default delete do double else enum explicit export extern false float for friend goto if inline
	int long mutable namespace new noexcept not nullptr operator or private protected public register
	return short signed sizeof static struct switch template this throw true try typedef typeid
	typename union unsigned using virtual void volatile while xor
	half int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t bfloat16_t size_t min max
	pipe ub l1 l0a l0b l0c Lesser Greater main syncArea syncWords AscendC`)

func words(text string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(text) {
		out[w] = true
	}
	return out
}
