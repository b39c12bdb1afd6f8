// Package bundlepb is the generated Go form of bundle.proto, the manifest of a bundle.
//
// It is data only: it must not know files, checks or defaults. Package bundle gives the
// messages their meaning. Regenerate with `go generate moge/formats/bundle`.
package bundlepb
