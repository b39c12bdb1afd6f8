// Package gen pins the tool that generates bundlepb; go.mod names its version.
//
// It holds no code of the product and nothing imports it.
package gen
