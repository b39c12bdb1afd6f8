// Command moge-run is the deployed program: `moge run` without the compiler linked in.
//
// Its imports must not reach ir (but ir/dtype and ir/shape), passes, codegen or ascend.
package main
