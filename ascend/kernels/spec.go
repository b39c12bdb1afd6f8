package kernels

import "moge/ascend/kernel"

// Spec is the description of one kernel, from which it can be made again at any time.
type Spec interface {
	// Kind is the word for the family of kernels, as "linear".
	Kind() string
	// KernelName is the name that the spec gives the kernel.
	KernelName() string
	// Kernel makes the kernel; errors are those of the function of the same family.
	Kernel() (*kernel.Kernel, error)
}

// GroupedGateUpSpec is the spec of GroupedGateUp.
type GroupedGateUpSpec struct{ GroupedSpec }

// GroupedDownSpec is the spec of GroupedDown.
type GroupedDownSpec struct{ GroupedSpec }

// TopScanSpec is the spec of TopScan.
type TopScanSpec struct{ TopSpec }

// TopPickSpec is the spec of TopPick.
type TopPickSpec struct{ TopSpec }

// Kind is "embed".
func (EmbedSpec) Kind() string { return "embed" }

// Kind is "norm".
func (NormSpec) Kind() string { return "norm" }

// Kind is "quantize".
func (QuantizeSpec) Kind() string { return "quantize" }

// Kind is "linear".
func (LinearSpec) Kind() string { return "linear" }

// Kind is "grouped_gate_up".
func (GroupedGateUpSpec) Kind() string { return "grouped_gate_up" }

// Kind is "grouped_down".
func (GroupedDownSpec) Kind() string { return "grouped_down" }

// Kind is "head".
func (HeadSpec) Kind() string { return "head" }

// Kind is "top_scan".
func (TopScanSpec) Kind() string { return "top_scan" }

// Kind is "top_pick".
func (TopPickSpec) Kind() string { return "top_pick" }

// Kind is "gate".
func (GateSpec) Kind() string { return "gate" }

// Kind is "route".
func (RouteSpec) Kind() string { return "route" }

// Kind is "dispatch".
func (DispatchSpec) Kind() string { return "dispatch" }

// Kind is "combine".
func (CombineSpec) Kind() string { return "combine" }

// Kind is "rotary".
func (RotarySpec) Kind() string { return "rotary" }

// Kind is "attention_decode".
func (AttentionDecodeSpec) Kind() string { return "attention_decode" }

// Kind is "attention_prefill".
func (AttentionPrefillSpec) Kind() string { return "attention_prefill" }

// KernelName is Name.
func (s EmbedSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s NormSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s QuantizeSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s LinearSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s GroupedSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s HeadSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s TopSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s GateSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s RouteSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s DispatchSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s CombineSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s RotarySpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s AttentionDecodeSpec) KernelName() string { return s.Name }

// KernelName is Name.
func (s AttentionPrefillSpec) KernelName() string { return s.Name }

// Kernel is Embed.
func (s EmbedSpec) Kernel() (*kernel.Kernel, error) { return Embed(s) }

// Kernel is Norm.
func (s NormSpec) Kernel() (*kernel.Kernel, error) { return Norm(s) }

// Kernel is Quantize.
func (s QuantizeSpec) Kernel() (*kernel.Kernel, error) { return Quantize(s) }

// Kernel is Linear.
func (s LinearSpec) Kernel() (*kernel.Kernel, error) { return Linear(s) }

// Kernel is GroupedGateUp.
func (s GroupedGateUpSpec) Kernel() (*kernel.Kernel, error) { return GroupedGateUp(s.GroupedSpec) }

// Kernel is GroupedDown.
func (s GroupedDownSpec) Kernel() (*kernel.Kernel, error) { return GroupedDown(s.GroupedSpec) }

// Kernel is Head.
func (s HeadSpec) Kernel() (*kernel.Kernel, error) { return Head(s) }

// Kernel is TopScan.
func (s TopScanSpec) Kernel() (*kernel.Kernel, error) { return TopScan(s.TopSpec) }

// Kernel is TopPick.
func (s TopPickSpec) Kernel() (*kernel.Kernel, error) { return TopPick(s.TopSpec) }

// Kernel is Gate.
func (s GateSpec) Kernel() (*kernel.Kernel, error) { return Gate(s) }

// Kernel is Route.
func (s RouteSpec) Kernel() (*kernel.Kernel, error) { return Route(s) }

// Kernel is Dispatch.
func (s DispatchSpec) Kernel() (*kernel.Kernel, error) { return Dispatch(s) }

// Kernel is Combine.
func (s CombineSpec) Kernel() (*kernel.Kernel, error) { return Combine(s) }

// Kernel is Rotary.
func (s RotarySpec) Kernel() (*kernel.Kernel, error) { return Rotary(s) }

// Kernel is AttentionDecode.
func (s AttentionDecodeSpec) Kernel() (*kernel.Kernel, error) { return AttentionDecode(s) }

// Kernel is AttentionPrefill.
func (s AttentionPrefillSpec) Kernel() (*kernel.Kernel, error) { return AttentionPrefill(s) }
