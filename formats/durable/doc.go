// Package durable is the file layer through which everything that must survive a crash is
// written: exclusive creation, explicit syncs of files and directories, renames, locks.
//
// Code that writes takes an FS and says itself when bytes must be on disk, so that package
// faultfs can cut the power between any two operations. It must not know what is written:
// no formats, no names, no resume logic.
package durable
