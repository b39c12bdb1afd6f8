package soc

import "fmt"

// Text names a string that every chip has a row for.
type Text uint8

// The strings.
const (
	ShortName Text = iota + 1
	AICVersion
	NPUArch
	CCEAICore
	Macro
	MacroCube
	MacroVector
	ArchFlag
	CCECube
	CCEVector
	CCEExtra
	SOCVersion
	OpConfig
	Flags
	textEnd
)

var textTable = [textEnd]struct{ name, what string }{
	ShortName:   {"short_name", "Short_SoC_version"},
	AICVersion:  {"aic_version", "AIC_version"},
	NPUArch:     {"npu_arch", "value of __NPU_ARCH__, CANN 8.3 and later"},
	CCEAICore:   {"cce_aicore", "value of __CCE_AICORE__"},
	Macro:       {"macro", "macro defined in every device pass, CANN 8.x"},
	MacroCube:   {"macro_cube", "macro defined in the pass for the matrix side"},
	MacroVector: {"macro_vector", "macro defined in the pass for the vector side"},
	ArchFlag:    {"arch_flag", "--npu-arch of bisheng and CMAKE_ASC_ARCHITECTURES, CANN 9.x"},
	CCECube:     {"cce_cube", "--cce-aicore-arch of the matrix side, or of the whole core, CANN 8.x"},
	CCEVector:   {"cce_vector", "--cce-aicore-arch of the vector side, CANN 8.x; the same on a coupled core"},
	CCEExtra:    {"cce_extra", "--cce-aicore-arch of the extra vector cores; empty where there are none"},
	SOCVersion:  {"soc_version", "SOC_VERSION of the CMake project"},
	OpConfig:    {"op_config", "AddConfig of an operator's host side"},
	Flags:       {"flags", "further flags of the device compiler, CANN 8.x"},
}

// String is the name, such as "npu_arch".
func (t Text) String() string {
	if t == 0 || t >= textEnd {
		return fmt.Sprintf("text(%d)", uint8(t))
	}
	return textTable[t].name
}

// What is one sentence about the string.
func (t Text) What() string {
	if t == 0 || t >= textEnd {
		panic("BUG: " + t.String() + " is no string of a chip")
	}
	return textTable[t].what
}

// Texts lists every string in the order of tables.
func Texts() []Text {
	all := make([]Text, 0, textEnd-1)
	for t := Text(1); t < textEnd; t++ {
		all = append(all, t)
	}
	return all
}

// TextFact is a string and where it is from. An empty string says that the chip has none.
type TextFact struct {
	Value  string
	Source Source
}

// Text gives a string.
func (c *Chip) Text(t Text) TextFact {
	if t == 0 || t >= textEnd {
		panic("BUG: " + t.String() + " is no string of a chip")
	}
	return c.texts[t]
}
