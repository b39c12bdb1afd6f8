package sample

import (
	"fmt"
	"math"
)

// Params says how to choose among the logits. The zero value is greedy decoding.
type Params struct {
	// Temperature divides the logits; 0 takes the largest logit, the lowest id among equals,
	// and leaves the other parameters unused.
	Temperature float64
	// TopP keeps the most probable tokens up to this share of the probability that TopK
	// left, in (0, 1]; 1 keeps all. It may be 0 only under temperature 0.
	TopP float64
	// TopK keeps this many of the most probable tokens; 0 keeps all.
	TopK int
	// Seed starts the generator.
	Seed uint64
}

// Validate reports the first parameter that is out of range.
func (p Params) Validate() error {
	switch {
	case !(p.Temperature >= 0) || math.IsInf(p.Temperature, 0):
		return fmt.Errorf("temperature %v is not a finite number from 0 up; 0 decodes greedily",
			p.Temperature)
	case !(p.TopP >= 0 && p.TopP <= 1):
		return fmt.Errorf("top-p %v is not in (0, 1]; 1 keeps every token", p.TopP)
	case p.TopP == 0 && p.Temperature > 0:
		return fmt.Errorf("top-p 0 keeps no token; 1 keeps every token, temperature 0 decodes greedily")
	case p.TopK < 0:
		return fmt.Errorf("top-k %d is negative; 0 keeps every token", p.TopK)
	}
	return nil
}
