package npu

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Machine is what there is for cards on a machine.
type Machine struct {
	AscendCL Library `json:"ascendcl"`
	HCCL     Library `json:"hccl"`
	CANN     string  `json:"cann"`   // version; "" if none is found
	Driver   string  `json:"driver"` // version; "" if none is found
	Chip     string  `json:"chip"`   // name of the chips; "" if none answers
	Chips    []Chip  `json:"chips"`
	Problem  string  `json:"problem,omitempty"` // why no chip can be used
	Hint     string  `json:"hint,omitempty"`    // what to do about it
}

// Library is a shared library: where it is, or where it was looked for.
type Library struct {
	Path  string   `json:"path,omitempty"`
	Tried []string `json:"tried,omitempty"` // each with the reason
}

// Chip is a chip that answers; sizes are bytes.
type Chip struct {
	Index   int    `json:"index"`
	Free    int64  `json:"free_bytes"`
	Total   int64  `json:"total_bytes"`
	Problem string `json:"problem,omitempty"`
}

// Probe looks what there is. It takes the chips for a moment and gives them back; folders are those of
// Options.Libraries.
func Probe(folders []string) *Machine {
	m := &Machine{CANN: cannVersion(), Driver: driverVersion(), Chips: []Chip{}}
	acl, hccl := locate(aclFile, folders), locate(hcclFile, folders)
	m.AscendCL, m.HCCL = Library{acl.path, acl.tried}, Library{hccl.path, hccl.tried}
	err := m.ask(folders)
	var e *Error
	if errors.As(err, &e) {
		m.Problem, m.Hint = (&Error{What: e.What, Err: e.Err}).Error(), e.Hint
	} else if err != nil {
		m.Problem = err.Error()
	}
	return m
}

// ask asks the chips.
func (m *Machine) ask(folders []string) (err error) {
	a, err := loadACL(folders)
	if err != nil {
		return err
	}
	if err := begin(a); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end(a)) }()
	if m.Chip, err = a.socName(); err != nil {
		return err
	}
	n, err := a.deviceCount()
	if err != nil {
		return err
	}
	for i := range n {
		m.Chips = append(m.Chips, askChip(a, i, hasHBM(m.Chip)))
	}
	if n == 0 {
		return &Error{What: "AscendCL sees no chip", Kind: ErrMissing,
			Hint: "install driver and firmware; npu-smi info lists what they see"}
	}
	return nil
}

// askChip asks one chip.
func askChip(a *acl, index int, hbm bool) Chip {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c := Chip{Index: index}
	err := a.setDevice(index)
	if err == nil {
		c.Free, c.Total, err = a.memInfo(hbm)
		err = errors.Join(err, a.resetDevice(index))
	}
	if err != nil {
		c.Problem = err.Error()
	}
	return c
}

// cannVersion reads the version out of the files that CANN's installer leaves.
func cannVersion() string {
	arch := map[string]string{"amd64": "x86_64-linux", "arm64": "aarch64-linux"}[runtime.GOARCH]
	for _, home := range homesOf() {
		for _, name := range []string{arch + "/ascend_toolkit_install.info", "ascend_toolkit_install.info"} {
			if v := versionIn(filepath.Join(home, name)); v != "" {
				return v
			}
		}
	}
	return ""
}

func driverVersion() string { return versionIn("/usr/local/Ascend/driver/version.info") }

// versionIn is the value of the line version= of a file, in letters of any size.
func versionIn(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && strings.EqualFold(key, "version") {
			return value
		}
	}
	return ""
}
