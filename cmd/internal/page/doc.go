// Package page makes one HTML page of a report: self-contained, without scripts, with drawings as
// inline SVG that are laid out here, in colours for light and dark. The same report gives the same
// bytes.
//
// All text of a report is escaped and bounded: a bundle's names may be hostile. The package must not
// know bundles or where a report comes from.
package page
