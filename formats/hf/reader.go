package hf

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A reader takes values out of a document and keeps the first error, so that a list of fields
// reads as a list.
type reader struct {
	document
	err error
}

func (r *reader) fail(key, format string, args ...any) {
	if r.err == nil {
		r.err = r.failure(r.prefix+key, fmt.Sprintf(format, args...))
	}
}

// A parser reads one value; a problem says what the value must be.
type parser[T any] func(raw json.RawMessage) (value T, problem string)

// take reads the value under the one of keys, all spellings of the same thing, that the document
// has, and says which it was; several must agree.
func take[T comparable](r *reader, parse parser[T], keys ...string) (value T, found string) {
	for _, key := range keys {
		raw, ok := r.value(key)
		if !ok {
			continue
		}
		v, problem := parse(raw)
		if problem != "" {
			r.fail(key, "is %s, it must be %s", showValue(raw), problem)
			return value, key
		}
		if found != "" && v != value {
			other, _ := r.value(found)
			r.fail(key, "is %s but %s is %s, they must agree", showValue(raw), found, showValue(other))
		}
		value, found = v, key
	}
	return value, found
}

// need is take where one of the keys must have a value.
func need[T comparable](r *reader, parse parser[T], keys ...string) T {
	value, found := take(r, parse, keys...)
	if found == "" {
		r.fail(keys[0], "is missing")
	}
	return value
}

// either is take with the value for where no key has one.
func either[T comparable](r *reader, absent T, parse parser[T], keys ...string) T {
	if value, found := take(r, parse, keys...); found != "" {
		return value
	}
	return absent
}

// list reads an array of integers, or one integer alone where alone is set.
func (r *reader) list(key string, alone bool, parse parser[int64]) []int64 {
	raw, ok := r.value(key)
	if !ok {
		return nil
	}
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil {
		if !alone {
			r.fail(key, "is %s, it must be a list", showValue(raw))
			return nil
		}
		items = []json.RawMessage{raw}
	}
	values := make([]int64, len(items))
	for i, item := range items {
		value, problem := parse(item)
		if problem != "" {
			r.fail(key, "holds %s, it must be %s", showValue(item), problem)
			return nil
		}
		values[i] = value
	}
	return values
}

// object is a reader for the object at key; false if there is none.
func (r *reader) object(key string) (*reader, bool) {
	raw, ok := r.value(key)
	if !ok || r.err != nil {
		return nil, false
	}
	inner, err := parseObject(r.file, r.prefix+key+".", raw)
	if err != nil {
		r.err = err
		return nil, false
	}
	return &reader{document: inner}, true
}

// wide reads an integer from lo to hi.
func wide(lo, hi int64) parser[int64] {
	return func(raw json.RawMessage) (int64, string) {
		limits := fmt.Sprintf("between %d and %d", lo, hi)
		var number json.Number
		if err := json.Unmarshal(raw, &number); err != nil || raw[0] == '"' {
			return 0, "an integer " + limits
		}
		value, err := strconv.ParseInt(number.String(), 10, 64)
		switch {
		case err != nil && strings.ContainsAny(number.String(), ".eE"):
			return 0, "an integer " + limits
		case err != nil || value < lo || value > hi:
			return 0, limits
		}
		return value, ""
	}
}

// integer is wide for a field that counts something.
func integer(lo, hi int64) parser[int] {
	parse := wide(lo, hi)
	return func(raw json.RawMessage) (int, string) {
		value, problem := parse(raw)
		return int(value), problem
	}
}

// float reads a number above lo, or at least lo where closed is set, and at most hi.
func float(lo, hi float64, closed bool) parser[float64] {
	limits := fmt.Sprintf("above %v and at most %v", lo, hi)
	if closed {
		limits = fmt.Sprintf("between %v and %v", lo, hi)
	}
	return func(raw json.RawMessage) (float64, string) {
		value, err := strconv.ParseFloat(string(raw), 64)
		switch {
		case err != nil && !math.IsInf(value, 0):
			return 0, "a number " + limits
		case value < lo || value > hi || value == lo && !closed:
			return 0, limits
		}
		return value, ""
	}
}

func boolean(raw json.RawMessage) (value bool, problem string) {
	if json.Unmarshal(raw, &value) != nil {
		problem = "true or false"
	}
	return value, problem
}

// flag is nil where the document does not say.
func flag(r *reader, key string) *bool {
	if value, found := take(r, boolean, key); found != "" {
		return &value
	}
	return nil
}

func text(raw json.RawMessage) (value string, problem string) {
	if json.Unmarshal(raw, &value) != nil {
		problem = "a string"
	}
	return value, problem
}
