// Public entry of the emulated kernel programming interface: the one header a kernel includes.
// Names and signatures are those of CANN 8.x; everything behind them is our own.
#ifndef EMU_KERNEL_OPERATOR_H
#define EMU_KERNEL_OPERATOR_H

#include "emu/base.h"
#include "emu/instr.h"
#include "emu/params.h"
#include "emu/tensor.h"
#include "emu/system.h"
#include "emu/vector.h"
#include "emu/reduce.h"
#include "emu/select.h"
#include "emu/move.h"
#include "emu/cube.h"
#include "emu/pipe.h"

#endif
