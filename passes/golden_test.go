package passes

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"moge/ir"
	"moge/ir/dtype"
	"moge/ir/placement"
	"moge/quant"
)

var update = flag.Bool("update", false, "write what the passes do into testdata")

// TestGolden runs each case testdata/PASS/NAME.txtar: before.ir goes through the pass, and
// the result must be after.ir, or the error that of the section error; what the user is
// told must be the section report. Lines "option KEY VALUE" of the comment set options.
// Every pass of the pipeline must have a case, and running it twice must be running it once.
func TestGolden(t *testing.T) {
	for _, name := range Names() {
		files, err := filepath.Glob(filepath.Join("testdata", name, "*.txtar"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Errorf("pass %s has no case", name)
		}
		for _, file := range files {
			t.Run(name+"/"+strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
				golden(t, name, file)
			})
		}
	}
}

func TestEveryCaseNamesAPass(t *testing.T) {
	folders, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range folders {
		if !slices.Contains(Names(), f.Name()) {
			t.Errorf("testdata/%s is not named after a pass", f.Name())
		}
	}
}

func golden(t *testing.T, name, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, err := ir.Parse(file+":before.ir", section(archive, "before.ir"))
	if err != nil {
		t.Fatal(err)
	}
	unchanged := before.String()
	opt := caseOptions(t, archive)
	after, report, err := onePass(name, before, opt)
	if before.String() != unchanged {
		t.Error("the pass edited its input")
	}
	got := map[string]string{}
	if err != nil {
		got["error"] = err.Error() + "\n"
	} else {
		checkResult(t, name, after, opt)
		got["after.ir"], got["report"] = after.String(), reportText(report)
	}
	for _, part := range []string{"after.ir", "report", "error"} {
		compareSection(t, archive, file, part, got[part])
	}
}

// checkResult checks what holds after every pass.
func checkResult(t *testing.T, name string, after *ir.Graph, opt Options) {
	t.Helper()
	if err := ir.Verify(after); err != nil {
		t.Error(err)
	}
	again, _, err := onePass(name, after, opt)
	if err != nil {
		t.Fatalf("the second run fails: %v", err)
	}
	if again.String() != after.String() {
		t.Errorf("a second run gives\n%s", again)
	}
}

func compareSection(t *testing.T, archive *txtar.Archive, file, part, got string) {
	t.Helper()
	if *update {
		setSection(archive, part, got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := section(archive, part); got != want {
		t.Errorf("%s is\n%s\nwant\n%s", part, got, want)
	}
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func setSection(a *txtar.Archive, name, text string) {
	for i, f := range a.Files {
		if f.Name == name {
			a.Files = append(a.Files[:i], a.Files[i+1:]...)
			break
		}
	}
	if text != "" {
		a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(text)})
	}
}

// caseOptions reads the "option KEY VALUE" lines of the comment and the section stats.
func caseOptions(t *testing.T, a *txtar.Archive) Options {
	t.Helper()
	var opt Options
	for _, line := range strings.Split(string(a.Comment), "\n") {
		setting, ok := strings.CutPrefix(line, "option ")
		if !ok {
			continue
		}
		key, value, _ := strings.Cut(setting, " ")
		if err := setOption(&opt, key, value); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if text := section(a, "stats"); text != "" {
		stats, err := quant.ParseStats([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		opt.Stats = stats
	}
	return opt
}

func setOption(opt *Options, key, value string) (err error) {
	switch key {
	case "scheme":
		opt.Scheme, err = quant.ParseScheme(value)
	case "head":
		opt.Head, err = quant.ParseScheme(value)
	case "kv":
		opt.KV, err = dtype.Parse(value)
	case "activations":
		opt.Activations, err = dtype.Parse(value)
	case "float":
		opt.Float, err = dtype.Parse(value)
	case "min_expert_tokens":
		opt.MinExpertTokens, err = strconv.ParseInt(value, 10, 64)
	case "placement": // devices, then the placement; inner widths are padded to 4
		devices, text, _ := strings.Cut(value, " ")
		n := 0
		if n, err = strconv.Atoi(devices); err == nil {
			opt.Placement, err = placement.Parse(text, n)
		}
		opt.PlacementRules = placement.Rules{Align: 4, VocabAlign: 4, MaxPadding: 1}
	case "override":
		var o quant.Override
		o, err = quant.ParseOverride(value)
		opt.Overrides = append(opt.Overrides, o)
	default:
		err = strconv.ErrSyntax
	}
	return err
}

func reportText(r *Report) string {
	var b strings.Builder
	for _, s := range r.Sites {
		b.WriteString("site " + s.Site + " " + s.Scheme + "\n")
	}
	for _, c := range r.Casts {
		b.WriteString("cast " + strconv.Itoa(c.Weights) + " " + c.From.String() + " " +
			c.To.String() + "\n")
	}
	for _, w := range r.Warnings {
		b.WriteString("warning " + w + "\n")
	}
	return b.String()
}
