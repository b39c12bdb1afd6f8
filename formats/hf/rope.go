package hf

import "encoding/json"

// Where the rotation's parameters stand: new releases have one object for all of them, old ones
// have rope_theta at the top and rope_scaling for anything out of the ordinary.
const (
	newRope = "rope_parameters"
	oldRope = "rope_scaling"
)

var (
	thetaRange   = float(0, 1e18, false)
	partialRange = float(0, 1, false)
)

func (c *Config) readRope(r *reader) {
	c.RopeTheta, _ = take(r, thetaRange, "rope_theta")
	c.PartialRotary, _ = take(r, partialRange, "partial_rotary_factor")
	for _, key := range []string{newRope, oldRope} {
		if inner, ok := r.object(key); ok {
			c.readRopeObject(inner)
			r.err = inner.err
		}
	}
	if c.PartialRotary == 0 {
		c.PartialRotary = 1
	}
}

// readRopeObject refuses every kind of rotation but the plain one: with others, the frequencies
// would be silently wrong.
func (c *Config) readRopeObject(r *reader) {
	for _, key := range r.keys() {
		if r.values[key][0] == '{' {
			r.fail(key, "is an object, but rotary parameters per layer type are not supported")
		}
	}
	take(r, plainRope, "rope_type", "type")
	c.merge(r, &c.RopeTheta, thetaRange, "rope_theta")
	c.merge(r, &c.PartialRotary, partialRange, "partial_rotary_factor")
	if _, ok := r.value("factor"); ok && r.err == nil {
		c.checkFactor(r)
	}
}

func plainRope(raw json.RawMessage) (kind string, problem string) {
	if kind, problem = text(raw); problem != "" || kind != "default" {
		return kind, `"default", other kinds of rotary scaling are not supported`
	}
	return kind, ""
}

// merge takes a number that may stand at the top of the file too, and must then be the same.
func (c *Config) merge(r *reader, field *float64, parse parser[float64], key string) {
	value, found := take(r, parse, key)
	switch {
	case found == "":
	case *field != 0 && *field != value:
		r.fail(key, "is %v but %s is %v, they must agree", value, key, *field)
	default:
		*field = value
	}
}

// checkFactor refuses a scaling factor that stands without a type, as the oldest files have it.
func (c *Config) checkFactor(r *reader) {
	if _, found := take(r, text, "rope_type", "type"); found == "" {
		r.fail("factor", "stands without rope_type, rotary scaling is not supported")
	}
}
