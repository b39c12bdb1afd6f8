package codegen

// Version is the version of the tool, part of what makes the bytes of a bundle.
const Version = "0.1.0"
