// Forwards to the one public header.
#include "kernel_operator.h"
