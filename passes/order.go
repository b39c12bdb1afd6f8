package passes

import "fmt"

// constraint says that the last run of before comes before the last run of after.
type constraint struct{ before, after, reason string }

var constraints = []constraint{
	{"FoldConstants", "EliminateCommonValues",
		"equal values often differ only by an identity"},
	{"EliminateCommonValues", "FuseQKV",
		"linears are fused when they read the same value, not an equal one"},
	{"EliminateCommonValues", "FuseGateUp",
		"linears are fused when they read the same value, not an equal one"},
	{"AssignSchemes", "FuseQKV",
		"override patterns name the parts, and only parts of one scheme fuse"},
	{"AssignSchemes", "FuseGateUp",
		"override patterns name the parts, and only parts of one scheme fuse"},
	{"AssignSchemes", "FuseGroupedGating",
		"patterns are checked against the linears of the model, and moe_gate hides one"},
	{"AssignSchemes", "CastFloatWeights",
		"weights with a scheme are quantized from the values of the checkpoint"},
	{"AssignSchemes", "InsertObservers", "only linears that have a scheme are observed"},
	{"AssignSchemes", "QuantizeLinears", "the schemes say what to do"},
	{"GroupExperts", "FuseGateUp", "one concatenation then serves all experts of a layer"},
	{"FuseGateUp", "FuseSwiGLU", "swiglu reads two halves of one value"},
	{"FuseQKV", "InsertObservers", "the sites measured are those that will be quantized"},
	{"FuseGateUp", "InsertObservers", "the sites measured are those that will be quantized"},
	{"FuseQKV", "QuantizeLinears", "only float linears fuse"},
	{"FuseGateUp", "QuantizeLinears", "only float linears fuse"},
	{"GroupExperts", "QuantizeLinears", "only float weights are stacked"},
	{"CastFloatWeights", "QuantizeLinears",
		"which linears keep their weights is read off their schemes, which go"},
	{"FuseSwiGLU", "LegalizeTypes", "what a fused op does not store is not rounded"},
	{"FuseAddRMSNorm", "LegalizeTypes", "the sum is rounded inside the fused op"},
	{"QuantizeLinears", "LegalizeTypes", "quantized linears round their results, not their products"},
	{"QuantizeLinears", "RemoveDeadValues", "quantizing leaves permutations without readers"},
	{"LegalizeTypes", "BlockDynamicScales", "ranks round what they send as they round what they store"},
	{"BlockDynamicScales", "PartitionGraph", "the graph of the whole model must say what its parts do"},
	{"PartitionGraph", "RewriteAllReduce", "the naive schedule is all-reduces"},
	{"RewriteAllReduce", "SinkAllGather", "what sinks is the second half of an all-reduce"},
	{"SinkAllGather", "MergeCollectives", "sums meet once no gather is between them"},
	{"InsertObservers", "RemoveDeadValues", "the graph that is returned has no dead values"},
}

func init() {
	if err := checkOrder(pipeline[:], constraints); err != nil {
		panic("BUG: " + err.Error())
	}
}

// checkOrder reports the first constraint that the rows break.
func checkOrder(rows []pass, constraints []constraint) error {
	last := make(map[string]int, len(rows))
	for i := range rows {
		last[rows[i].name] = i
	}
	for _, c := range constraints {
		before, okBefore := last[c.before]
		after, okAfter := last[c.after]
		if !okBefore || !okAfter {
			return fmt.Errorf("the order of %s and %s concerns a pass that is not in the pipeline",
				c.before, c.after)
		}
		if before >= after {
			return fmt.Errorf("pass %s must come before %s: %s", c.before, c.after, c.reason)
		}
	}
	return nil
}
