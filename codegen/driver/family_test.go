package driver

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"moge/codegen"
	"moge/formats/durable"
	"moge/ir/dtype"
	"moge/passes"
	"moge/quant"
)

// compileFiles compiles onto a disk in memory and gives the files.
func compileFiles(t testing.TB, m *Model, s Settings) map[string]string {
	t.Helper()
	disk := newDisk(t)
	if _, err := Compile(context.Background(), disk, m, "out/m.moge", s); err != nil {
		t.Fatal(err)
	}
	return disk.Snapshot("out")
}

// twoSteps quantizes to a directory of its own and compiles that; s has what both share.
func twoSteps(t testing.TB, m *Model, s Settings) map[string]string {
	t.Helper()
	mid := filepath.Join(t.TempDir(), "mid")
	if _, err := Quantize(context.Background(), durable.OS(), m, mid, s); err != nil {
		t.Fatal(err)
	}
	second := s
	second.Passes = passes.Options{KV: s.Passes.KV}
	return compileFiles(t, openModel(t, mid), second)
}

func TestEveryFamilyAndSchemeInOneStepAndTwo(t *testing.T) {
	for _, family := range familyNames {
		m := openModel(t, filepath.Join(families, family))
		for _, scheme := range quant.Schemes() {
			for what, opt := range map[string]passes.Options{
				"plain": {},
				"head":  {Head: scheme, Float: dtype.F16, KV: dtype.I8},
			} {
				t.Run(fmt.Sprint(family, " ", scheme.Name, " ", what), func(t *testing.T) {
					s := settingsFor(t, m, scheme.Name, opt)
					if !maps.Equal(compileFiles(t, m, s), twoSteps(t, m, s)) {
						t.Error("one step and two give different bytes")
					}
				})
			}
		}
	}
}

// optionalPasses are those that can be switched off.
func optionalPasses() []string {
	names := optional()
	if len(names) < 10 {
		panic("BUG: there are fewer optional passes than were written")
	}
	return names
}

func TestEveryPassCanBeSwitchedOff(t *testing.T) {
	sets := [][]string{optionalPasses()}
	for _, name := range optionalPasses() {
		sets = append(sets, []string{name})
	}
	for _, family := range familyNames {
		m := openModel(t, filepath.Join(families, family))
		for i, off := range sets {
			scheme := []string{"w8a8-dynamic", "none", "w8a8"}[i%3]
			t.Run(fmt.Sprint(family, " ", scheme, " without ", off), func(t *testing.T) {
				s := settingsFor(t, m, scheme, passes.Options{Off: off, Verify: true})
				out := filepath.Join(t.TempDir(), "m.moge")
				compileTo(t, m, out, s)
				b := openBundle(t, out)
				recovered, err := SettingsOf(b)
				if err != nil {
					t.Fatal(err)
				}
				if err := VerifySource(context.Background(), b, m, recovered); err != nil {
					t.Error(err)
				}
				files := map[string]string{}
				for name, data := range compileFiles(t, m, s) {
					if rest, ok := strings.CutPrefix(name, "m.moge/"); ok && !strings.HasSuffix(name, "/") {
						files[rest] = data
					}
				}
				if !maps.Equal(files, readTree(t, out)) {
					t.Error("the disk decides about the bytes")
				}
			})
		}
	}
}

func override(t testing.TB, text string) quant.Override {
	t.Helper()
	o, err := quant.ParseOverride(text)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func schemeOf(t testing.TB, name string) quant.Scheme {
	t.Helper()
	s, err := quant.ParseScheme(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSettingsOfIsTheInverseOfCompiling(t *testing.T) {
	m := openModel(t, filepath.Join(families, "qwen3_moe"))
	limits := []codegen.Limits{{}, {BatchTokens: 3, Seqs: 2, Context: 17, LogitsRows: 1},
		{BatchTokens: 100, Context: 512}}
	options := []passes.Options{
		{},
		{KV: dtype.F32, Float: dtype.F32},
		{KV: dtype.I8, Float: dtype.BF16, Head: schemeOf(t, "w8a16")},
		{Off: []string{"FuseQKV"}, Overrides: []quant.Override{override(t, "layers.0.*=none")}},
		{Off: []string{"FuseSwiGLU", "FuseGateUp", "FuseSwiGLU"}, Head: schemeOf(t, "none"),
			Overrides: []quant.Override{
				override(t, "layers.*.self_attn.*=w8a16"), override(t, "layers.1.mlp.*=w8a8"), override(t, "*.o=none")}},
	}
	for i, scheme := range quant.Schemes() {
		for j, opt := range options {
			s := settingsFor(t, m, scheme.Name, opt)
			s.Limits = limits[(i+j)%len(limits)]
			out := filepath.Join(t.TempDir(), "m.moge")
			compileTo(t, m, out, s)
			got, err := SettingsOf(openBundle(t, out))
			if err != nil {
				t.Fatal(err)
			}
			again := filepath.Join(t.TempDir(), "again.moge")
			compileTo(t, m, again, got)
			if !maps.Equal(readTree(t, out), readTree(t, again)) {
				t.Errorf("%s %+v: the recovered settings give other bytes", scheme.Name, opt)
			}
			want := DefaultLimits(s.Limits, 512)
			if got.Target != "cpu" || got.Limits != want || got.Passes.KV != s.Passes.KV ||
				got.Passes.Float != s.Passes.Float ||
				got.Passes.Scheme.Name != scheme.Name || !reflect.DeepEqual(got.Passes.Overrides, s.Passes.Overrides) {
				t.Errorf("%s %+v: recovered %+v", scheme.Name, opt, got)
			}
		}
	}
}
