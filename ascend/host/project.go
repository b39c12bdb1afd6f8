package host

import (
	"fmt"
	"sort"
	"strings"

	"moge/ascend/kernel/device"
	"moge/ascend/soc"
)

// File is a file of the project by its path, with slashes.
type File struct {
	Path string
	Data []byte
}

// Project is the kernel project of programs for one chip. The bytes depend on nothing else;
// files are sorted by path. Kernels must have distinct names.
func Project(chip *soc.Chip, programs []*device.Program) ([]File, error) {
	programs = append([]*device.Program(nil), programs...)
	sort.Slice(programs, func(i, j int) bool { return programs[i].Name < programs[j].Name })
	for i, p := range programs {
		if p.Chip != chip {
			return nil, fmt.Errorf(
				"kernel %s is for %s, the project for %s",
				p.Name,
				p.Chip.Name(),
				chip.Name(),
			)
		}
		if i > 0 && programs[i-1].Name == p.Name {
			return nil, fmt.Errorf("two kernels are called %s", p.Name)
		}
	}
	files := []File{
		{"README.md", readme(chip, programs)},
		{"cann8/CMakeLists.txt", cmake8(chip, programs)},
		{"cann9/CMakeLists.txt", cmake9(chip, programs)},
		{"host/CMakeLists.txt", cmakeHost()},
		{"host/smoke.cpp", smoke(programs)},
		{"include/arguments.h", arguments(programs)},
		{"include/launch.h", launcher(programs)},
	}
	for _, p := range programs {
		files = append(files,
			File{"cann8/" + p.Name + ".cpp", device.Print(p, device.CANN8)},
			File{"cann9/" + p.Name + ".asc", device.Print(p, device.CANN9)})
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	return files, nil
}

// names lists the sources with an extension, each on a line of its own.
func names(programs []*device.Program, extension string) string {
	var b strings.Builder
	for _, p := range programs {
		fmt.Fprintf(&b, "    %s%s\n", p.Name, extension)
	}
	return b.String()
}
