package emu

// Compiler says which C++ compiler kernels are compiled with here: its path and what it says of its
// version. Without one the error is ErrNoCompiler.
func Compiler() (path, version string, err error) {
	t, err := findToolchain()
	return t.path, t.version, err
}
