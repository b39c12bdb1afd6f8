// Package faultfs is a durable.FS in memory that can crash, tear and fail.
//
// Every change (write, truncation, sync, creation, rename, removal, lock) is one numbered
// operation. A test counts the operations of an undisturbed run, then repeats the run with a
// crash or an error at each number, takes the disk as it may look after power loss, and tries
// to go on. It is for tests only and must not know what is stored.
package faultfs
