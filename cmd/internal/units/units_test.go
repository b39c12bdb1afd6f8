package units

import "testing"

func TestParseSize(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
	}{
		{"0", 0}, {"1000000", 1000000}, {"7B", 7}, {"512MiB", 512 << 20}, {"1GiB", 1 << 30},
		{"2 TiB", 2 << 40}, {"3kB", 3000}, {"3KB", 3000}, {"2GB", 2_000_000_000},
		{"9223372036854775807", 1<<63 - 1},
	} {
		if got, err := ParseSize(c.text); err != nil || got != c.want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", c.text, got, err, c.want)
		}
	}
}

func TestParseSizeRefuses(t *testing.T) {
	for _, text := range []string{"", "GiB", "-1", "1.5GiB", "1 0", "9223372036854775808",
		"9000000TiB", "1gib"} {
		_, err := ParseSize(text)
		want := `"` + text + `" is not a size such as 1000000, 512MiB or 2GB`
		if err == nil || err.Error() != want {
			t.Errorf("ParseSize(%q): %v; want %s", text, err, want)
		}
	}
}

func TestPrinting(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Bytes(0), "0 B"}, {Bytes(1023), "1023 B"}, {Bytes(1024), "1.0 KiB"}, {Bytes(1536), "1.5 KiB"},
		{Bytes(1<<20 - 1), "1.0 MiB"}, {Bytes(5 << 30), "5.0 GiB"}, {Bytes(1 << 62), "4194304.0 TiB"},
		{Count(9999), "9999"}, {Count(10_000), "10.0 k"}, {Count(999_950), "1.0 M"},
		{Count(71_990_000_000), "72.0 B"}, {Count(5e15), "5000.0 T"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
