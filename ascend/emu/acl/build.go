package acl

import (
	"context"
	"embed"
	"fmt"
	"regexp"

	"moge/ascend/emu"
)

//go:embed cpp
var cpp embed.FS

var include = regexp.MustCompile(`(?m)^#include "state.h"$`)

// text is a source with its header in it.
func text(names ...string) string {
	all := read("state.h")
	for _, name := range names {
		all += "\n#line 1 \"" + name + "\"\n" + include.ReplaceAllString(read(name), "")
	}
	return all
}

func read(name string) string {
	data, err := cpp.ReadFile("cpp/" + name)
	if err != nil {
		panic("BUG: embedded sources: " + err.Error())
	}
	return string(data)
}

// Build compiles the libraries, once a machine, and gives the folder that has them. A machine without a
// C++ compiler gives emu.ErrNoCompiler.
func Build(ctx context.Context) (string, error) {
	dir, err := emu.BuildShared(ctx, []emu.Shared{
		{
			File:  "libascendcl.so",
			Parts: []string{text("state.cpp"), text("stream.cpp"), text("kernel.cpp")},
		},
		{File: "libhccl.so", Parts: []string{text("hccl.cpp")}},
	})
	if err != nil {
		return "", fmt.Errorf("emulated libraries of the card: %w", err)
	}
	return dir, nil
}
