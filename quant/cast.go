package quant

import (
	"fmt"

	"moge/ir/dtype"
)

// CastReport counts what a conversion to f16 did to the values it saw. Reports add up in
// any order to the same result.
type CastReport struct {
	Values    int64 // seen in all
	Overflow  int64 // finite, became infinite
	Flush     int64 // not zero, became zero
	Subnormal int64 // became an f16 subnormal and so may have lost bits
	NonFinite int64 // infinite or NaN before
}

// Merge adds the counts of another report.
func (r *CastReport) Merge(other CastReport) {
	r.Values += other.Values
	r.Overflow += other.Overflow
	r.Flush += other.Flush
	r.Subnormal += other.Subnormal
	r.NonFinite += other.NonFinite
}

// Clean reports whether no value overflowed, vanished or was non-finite.
func (r CastReport) Clean() bool { return r.Overflow == 0 && r.Flush == 0 && r.NonFinite == 0 }

// String is one line for reports.
func (r CastReport) String() string {
	return fmt.Sprintf("%d values to f16: %d overflow, %d flush to zero, %d subnormal, %d non-finite",
		r.Values, r.Overflow, r.Flush, r.Subnormal, r.NonFinite)
}

// CastBF16ToF16 converts bfloat16 bit patterns src [n] to binary16 patterns dst [n],
// rounding half to even, and reports the damage. A bf16 significand fits f16, so normal
// results are exact. dst may be src.
func CastBF16ToF16(dst, src []uint16) CastReport {
	sameLength("cast", len(dst), len(src))
	var report CastReport
	for i, b := range src {
		v := dtype.BF16ToF32(b)
		dst[i] = dtype.F32ToF16(v)
		report.count(v, dst[i])
	}
	return report
}

// CastF32ToF16 converts float32 values likewise; normal results may round.
func CastF32ToF16(dst []uint16, src []float32) CastReport {
	sameLength("cast", len(dst), len(src))
	var report CastReport
	for i, v := range src {
		dst[i] = dtype.F32ToF16(v)
		report.count(v, dst[i])
	}
	return report
}

func (r *CastReport) count(v float32, half uint16) {
	r.Values++
	magnitude := half &^ 0x8000
	switch {
	case !finite(v):
		r.NonFinite++
	case magnitude == 0x7c00:
		r.Overflow++
	case magnitude == 0 && v != 0:
		r.Flush++
	case magnitude > 0 && magnitude < 0x400:
		r.Subnormal++
	}
}
