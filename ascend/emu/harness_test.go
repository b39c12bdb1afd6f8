package emu

import (
	"context"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"moge/ascend/soc"

	"github.com/rogpeppe/go-internal/txtar"
)

// needCompiler skips loudly where no compiler is installed, and fails in CI.
func needCompiler(t testing.TB) {
	t.Helper()
	err := Available()
	if err == nil {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip("SKIPPED: ", err)
}

func chipNamed(t testing.TB, name string) *soc.Chip {
	t.Helper()
	for _, c := range soc.Chips() {
		if c.Name() == name {
			return c
		}
	}
	t.Fatalf("no chip %s", name)
	return nil
}

// suite is every test kernel of one chip in one library.
type suite struct {
	once  sync.Once
	lib   *Library
	err   error
	texts map[string]string
	names []string
}

var suites = map[string]*suite{"310p": {}, "910b": {}}

var chipNames = map[string]string{"310p": "Ascend310P3", "910b": "Ascend910B4"}

// archive is one testdata file with the text around each of its bodies.
type archive struct{ file, before, after string }

const head = `#include "kernel_operator.h"
using namespace AscendC;
extern "C" __global__ __aicore__ void NAME(GM_ADDR x, GM_ADDR y, GM_ADDR w, GM_ADDR z, int32_t n)
{
    TASK
    GlobalTensor<half> X, Y, W;
    X.SetGlobalBuffer((__gm__ half*)x, 4096);
    Y.SetGlobalBuffer((__gm__ half*)y, 4096);
    W.SetGlobalBuffer((__gm__ half*)w, 4096);
    TPipe pipe;
    TBuf<TPosition::VECCALC> ua, ub, uc, uf;
    pipe.InitBuffer(ua, 8192);
    pipe.InitBuffer(ub, 8192);
    pipe.InitBuffer(uc, 8192);
    pipe.InitBuffer(uf, 8192);
    LocalTensor<half> a = ua.Get<half>(), b = ub.Get<half>(), c = uc.Get<half>();
    LocalTensor<float> f = uf.Get<float>();
    TBuf<TPosition::A1> u1;
    TBuf<TPosition::A2> uA;
    TBuf<TPosition::B2> uB;
    TBuf<TPosition::CO1> uC;
    pipe.InitBuffer(u1, 65536);
    pipe.InitBuffer(uA, 32768);
    pipe.InitBuffer(uB, 32768);
    pipe.InitBuffer(uC, 65536);
    LocalTensor<half> l1 = u1.Get<half>(), l0a = uA.Get<half>(), l0b = uB.Get<half>();
    LocalTensor<half> l0c = uC.Get<half>();
`

// Around a value body: x is in a, z in b; c holds zeros; afterwards c is stored to y.
const valueBefore = head + `
    GlobalTensor<half> Z;
    Z.SetGlobalBuffer((__gm__ half*)z, 4096);
    DataCopy(a, X, 4096);
    DataCopy(b, Z, 4096);
    Duplicate(c, (half)0.0f, 4096);
    Duplicate(f, 0.0f, 2048);
    PipeBarrier<PIPE_ALL>();
`

const valueAfter = `
    PipeBarrier<PIPE_ALL>();
    DataCopy(Y, c, 4096);
}
`

var taskLine = map[string]string{"310p": "", "910b": "KERNEL_TASK_TYPE_DEFAULT(TASKTYPE);"}

var taskMark = regexp.MustCompile(`// task (\w+)`)

func (a archive) sources(t testing.TB, chip string) []Source {
	data, err := txtar.ParseFile("testdata/" + a.file)
	if err != nil {
		t.Fatal(err)
	}
	var out []Source
	for _, f := range data.Files {
		name := strings.TrimSuffix(f.Name, ".cpp")
		kind := "KERNEL_TYPE_AIV_ONLY"
		if m := taskMark.FindStringSubmatch(string(f.Data)); m != nil {
			kind = m[1]
		}
		before := strings.ReplaceAll(a.before, "NAME", name)
		before = strings.ReplaceAll(before, "TASK\n", strings.ReplaceAll(taskLine[chip], "TASKTYPE",
			kind)+"\n")
		out = append(out, Source{name, before + string(f.Data) + a.after})
	}
	return out
}

// archives are the files of a chip: checks, then values.
func archives(chip string) []archive {
	return []archive{
		{"checks.txtar", head, "}\n"}, {chip + "/checks.txtar", head, "}\n"},
		{"launch.txtar", head, "}\n"}, {"values.txtar", valueBefore, valueAfter}, {chip +
			"/values.txtar", cubeBefore[chip], cubeAfter[chip]},
	}
}

// On 910B the cube cores have no vector unit: their bodies get the tensors only.
var (
	cubeBefore = map[string]string{"310p": valueBefore, "910b": cubeHead}
	cubeAfter  = map[string]string{"310p": valueAfter, "910b": "}\n"}
)

const cubeHead = head + `
    GlobalTensor<half> Z;
    Z.SetGlobalBuffer((__gm__ half*)z, 4096);
`

func (s *suite) load(t testing.TB, chip string) {
	t.Helper()
	needCompiler(t)
	s.once.Do(func() {
		var all []Source
		s.texts = map[string]string{}
		for _, a := range archives(chip) {
			for _, k := range a.sources(t, chip) {
				all = append(all, k)
				s.texts[k.Name] = k.Text
				s.names = append(s.names, k.Name)
			}
		}
		s.lib, s.err = Compile(context.Background(), chipNamed(t, chipNames[chip]), all)
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
}

// bench is a device with the four tensors of 8 KiB that test kernels take.
type bench struct {
	*Device
	x, y, w, z Addr
}

const tensorBytes = 8192

func newBench(t testing.TB, chip string) *bench {
	t.Helper()
	s := suites[chip]
	s.load(t, chip)
	d, err := s.lib.Start(context.Background(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	b := &bench{Device: d}
	for _, a := range []*Addr{&b.x, &b.y, &b.w, &b.z} {
		if *a, err = d.Alloc(tensorBytes); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func (b *bench) args(y, z Role) []Arg {
	return []Arg{
		Tensor(b.x, tensorBytes, In), Tensor(b.y, tensorBytes, y), Tensor(b.w, tensorBytes, Workspace),
		Tensor(b.z, tensorBytes, z), Int32(7),
	}
}

var marks = map[string]*regexp.Regexp{
	"blocks": regexp.MustCompile(`// blocks (\d+)`),
}

func markOf(text, name string, otherwise int) int {
	m := marks[name].FindStringSubmatch(text)
	if m == nil {
		return otherwise
	}
	n, _ := strconv.Atoi(m[1])
	return n
}

// Half values in Go, written apart from the runtime's: search over all 65536 of them.
func halfValue(h uint16) float64 {
	sign, e, m := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 != 0 {
		sign = -1
	}
	switch e {
	case 0:
		return sign * m / (1 << 24)
	case 31:
		if m != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * (1 + m/1024) * math.Pow(2, float64(e-15))
}

// nearestHalf rounds half to even by comparing with both neighbours.
func nearestHalf(v float64) uint16 {
	sign := uint16(0)
	if math.Signbit(v) {
		sign, v = 0x8000, -v
	}
	if v != v {
		return 0x7e00
	}
	lo, hi := uint16(0), uint16(0x7c00)
	for hi-lo > 1 {
		mid := (lo + hi) / 2
		if halfValue(mid) <= v {
			lo = mid
		} else {
			hi = mid
		}
	}
	top := halfValue(lo)
	next := 65536.0
	if hi != 0x7c00 {
		next = halfValue(hi)
	}
	if v-top > next-v || v-top == next-v && lo&1 == 1 {
		lo = hi
	}
	return sign | lo
}
