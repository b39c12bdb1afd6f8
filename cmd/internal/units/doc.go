// Package units reads and prints sizes and counts for people.
//
// It must not know commands or what is measured.
package units
