// Package dtype names the element types of tensors: their size, their safetensors
// spelling and the exact conversions between the float types.
//
// It is a leaf: it must not know graphs, files or machines.
package dtype
