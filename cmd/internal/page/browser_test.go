package page

import (
	"context"
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

//go:embed testdata/measure.html
var measureText string

// measured is what a browser found of a page at one width.
type measured struct {
	Name     string   `json:"name"`
	Width    int      `json:"width"`
	Problems []string `json:"problems"`
	Ground   string   `json:"ground"` // colour behind the text
	Pictures int      `json:"pictures"`
}

// browser is the program named by MOGE_BROWSER, which then must be there, or one of the path.
func browser(t *testing.T) string {
	t.Helper()
	if name := os.Getenv("MOGE_BROWSER"); name != "" {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatalf("MOGE_BROWSER: %v", err)
		}
		return path
	}
	names := []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("SKIPPED: the page is not seen by a browser: none of %s is there; name one with MOGE_BROWSER",
		strings.Join(names, ", "))
	return ""
}

// look opens pages in frames of several widths, as they are, and measures them from outside.
func look(t *testing.T, program string, pages map[string]string, dark bool) []measured {
	t.Helper()
	dir := t.TempDir()
	literal, err := json.Marshal(pages) // a < in it is escaped, so it cannot end the script
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "measure.html")
	text := strings.Replace(measureText, "PAGES", string(literal), 1)
	if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	scheme := "1"
	if dark {
		scheme = "0"
	}
	args := []string{"--headless=new", "--disable-gpu", "--disable-extensions", "--no-first-run",
		"--user-data-dir=" + filepath.Join(dir, "profile"), "--blink-settings=preferredColorScheme=" + scheme,
		"--window-size=1700,1000", "--dump-dom", "file://" + file}
	if os.Geteuid() == 0 { // its sandbox refuses to work for root
		args = append([]string{"--no-sandbox"}, args...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", program, err)
	}
	return result(t, string(out))
}

func result(t *testing.T, dom string) (list []measured) {
	t.Helper()
	found := regexp.MustCompile(`(?s)<pre id="result">.*</pre>`).FindString(dom)
	var pre struct {
		Text string `xml:",chardata"`
	}
	if err := xml.Unmarshal([]byte(found), &pre); err != nil {
		t.Fatalf("the browser gave no result: %v: %.300s", err, dom)
	}
	if err := json.Unmarshal([]byte(pre.Text), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestBrowserSeesNothingOverlap looks at the pages with a browser, wide and narrow, light and dark: no
// text leaves its box or lies on another, and no page is wider than its window.
func TestBrowserSeesNothingOverlap(t *testing.T) {
	program := browser(t)
	grounds := map[bool]string{false: "rgb(255, 255, 255)", true: "rgb(13, 17, 23)"}
	pages := variants(t)
	for _, dark := range []bool{false, true} {
		list := look(t, program, pages, dark)
		for _, m := range list {
			for _, p := range m.Problems {
				t.Errorf("%s, %d wide, dark %v: %.200s", m.Name, m.Width, dark, p)
			}
			if m.Ground != grounds[dark] || m.Pictures < 3 {
				t.Errorf("%s, %d wide, dark %v: ground %s, %d pictures", m.Name, m.Width, dark, m.Ground,
					m.Pictures)
			}
		}
		if len(list) != 2*len(pages) {
			t.Errorf("%d pages were measured, want %d at two widths", len(list), len(pages))
		}
	}
}

// TestBrowserFindsOverlaps shows that the measurement finds what it is for.
func TestBrowserFindsOverlaps(t *testing.T) {
	program := browser(t)
	const bad = `<!DOCTYPE html><html><body style="margin:0"><p style="width:900px">wide</p>
<svg role="img" width="100" height="100">
<g><rect class="area" width="20" height="20"/><text y="14">too long</text></g>
<rect class="area" x="10" width="20" height="20"/><text x="4" y="14">on it</text>
<text x="90" y="50">out</text></svg>
</body></html>`
	want := map[int]string{
		1280: "text outside its box: too long\ntext outside its box: on it\ntext outside its picture: out\n" +
			"text outside its box: out\ntexts overlap: on it | too long\nboxes overlap:  | \n",
	}
	want[390] = "the page is 900 wide\n" + want[1280]
	for _, m := range look(t, program, map[string]string{"bad": bad}, false) {
		if got := strings.Join(m.Problems, "\n") + "\n"; got != want[m.Width] {
			t.Errorf("%d wide: got\n%swant\n%s", m.Width, got, want[m.Width])
		}
	}
}
