package emu

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every label the runtime reports is in the table, and the table has no other.
func TestRulesAreThoseOfTheRuntime(t *testing.T) {
	single := "race|align|overlap|stride|path|pattern|capacity|deadlock"
	label := regexp.MustCompile(
		`(?:report\(|finding\(|\? |: )\s*"([a-z0-9]+-[a-z0-9-]+|` + single + `)"`)
	var used []string
	for path, text := range cppFiles() {
		if !strings.HasSuffix(path, ".cpp") && !strings.HasSuffix(path, ".h") {
			continue
		}
		for _, m := range label.FindAllStringSubmatch(text, -1) {
			used = append(used, m[1])
		}
	}
	slices.Sort(used)
	used = slices.Compact(used)
	var named []string
	for _, r := range Rules() {
		named = append(named, r.Name)
		if r.What == "" || r.Source == "" {
			t.Errorf("rule %s lacks a text or a source", r.Name)
		}
	}
	slices.Sort(named)
	if !slices.Equal(used, named) {
		for _, n := range named {
			if !slices.Contains(used, n) {
				t.Errorf("rule %s is never reported", n)
			}
		}
		for _, n := range used {
			if !slices.Contains(named, n) {
				t.Errorf("label %s is no rule", n)
			}
		}
	}
}

// Every rule has a kernel that breaks it.
func TestEveryRuleIsBrokenSomewhere(t *testing.T) {
	broken := []string{"output-undefined", "unstable-output", "atomic-register"} // in launch_test.go
	for _, chip := range []string{"310p", "910b"} {
		for _, a := range archives(chip) {
			for _, k := range a.sources(t, chip) {
				all, either := wanted(k.Text)
				for _, entry := range append(all, either...) {
					_, rule, _ := strings.Cut(entry, " ")
					broken = append(broken, rule)
				}
			}
		}
	}
	for _, r := range Rules() {
		if !slices.Contains(broken, r.Name) {
			t.Errorf("no kernel breaks %s", r.Name)
		}
	}
}

// numericRules are the numeric rules of the reference, each with the cases that hold it.
var numericRules = []struct {
	name   string
	values []string // cases of TestValues
	checks []string // kernels of TestChecks
}{
	{"1 half results round to nearest, saturate on 310P", []string{"v_add", "v_mul", "v_div",
		"v_cast_float_half"}, nil},
	{"2 cast modes", []string{"v_cast_half_int8", "v_cast_float_half_odd", "v_cast_int32_half",
		"v_quantize_chain",
		"v_a2_cast_half_modes"}, []string{"cast_float_half_rint", "cast_half_int8_rint",
		"cast_half_int32_none"}},
	{"2 reduction order and ties", []string{"v_reducesum", "v_reducesum_float", "v_reducemax_index",
		"v_wholereducesum", "v_wholereducemax"}, nil},
	{"3 int8 products are exact", []string{"v_mmad_int8", "v_mmad_half"}, nil},
	{"4 drains", []string{"v_vdeq16", "v_deq16", "v_a2_fixpipe_scales"}, nil},
	{"5 copies truncate, padding is undefined", []string{"v_a2_pad"}, []string{"copy_truncates",
		"copy_nothing",
		"a2_pad_tail_is_undefined", "taint_output"}},
	{"6 masked lanes keep their values", []string{"v_mask_lanes", "v_mask_bits", "v_count_tail",
		"v_mask_register"}, nil},
	{"7 what is enforced", nil, []string{"align_ub", "capacity_ub", "zero_repeat", "event_pool",
		"leftover",
		"queue_depth", "missing_flag", "missing_barrier"}},
}

func TestNumericRules(t *testing.T) {
	for _, rule := range numericRules {
		t.Run(rule.name, func(t *testing.T) {
			for chip, c := range map[string]chipMath{"310p": {true}, "910b": {false}} {
				b := newBench(t, chip)
				for _, v := range slices.Concat(values, cubeValues, splitValues) {
					if slices.Contains(rule.values, v.name) && suites[chip].texts[v.name] != "" {
						b.value(t, c, v)
					}
				}
				for _, k := range rule.checks {
					if text := suites[chip].texts[k]; text != "" {
						r := b.launch(t, Launch{Kernel: k, Blocks: markOf(text, "blocks", 1),
							Args: b.args(InOut, Zeroed)})
						checkFindings(t, text, r.Findings)
					}
				}
			}
		})
	}
}

// A count that is not a multiple of 32 bytes copies less: the finding says so, and the bytes show
// it.
func TestNumericRule5Truncation(t *testing.T) {
	b := newBench(t, "310p")
	x, y := data(b.Bytes(b.x, tensorBytes)), data(b.Bytes(b.y, tensorBytes))
	ones(x, 0, 4096)
	r := b.launch(t, Launch{Kernel: "l_truncates"})
	if rulesOf(r.Findings) != "copy-truncates" {
		t.Error(r.Findings)
	}
	if y.half(31) != 1 || y.half(32) != 0 {
		t.Errorf("elements 31 and 32 are %g and %g", y.half(31), y.half(32))
	}
}
