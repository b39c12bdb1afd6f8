package safetensors

import (
	"encoding/json"
	"fmt"
	"io"
)

// ShardPlan is one file of a checkpoint that is to be written.
type ShardPlan struct {
	Name    string   // base name
	Tensors []Tensor // Shard and Size set; Offset is known only once the header is
	Size    int64    // bytes of all tensors, without the header
}

// PlanShards divides the tensors, in their order, into files of at most limit bytes of data; a
// larger tensor gets a file of its own, and a limit of zero or less means one file. The files are
// named stem.safetensors if one is enough, else stem-00001-of-0000N.safetensors.
func PlanShards(stem string, tensors []Tensor, limit int64) ([]ShardPlan, error) {
	placed, err := assign(tensors)
	if err != nil {
		return nil, err
	}
	plans := []ShardPlan{{}}
	for _, t := range placed {
		last := &plans[len(plans)-1]
		if limit > 0 && len(last.Tensors) > 0 && last.Size > limit-t.Size {
			plans = append(plans, ShardPlan{})
			last = &plans[len(plans)-1]
		}
		t.Offset = 0
		last.Tensors = append(last.Tensors, t)
		last.Size += t.Size
	}
	if len(plans) > maxShards {
		return nil, &Error{Hint: "allow larger shards", Reason: fmt.Sprintf(
			"%d bytes a shard make %d shards, at most %d are possible", limit, len(plans), maxShards)}
	}
	for i := range plans {
		plans[i].name(stem, i, len(plans))
	}
	return plans, nil
}

// name names the plan as number i of count.
func (p *ShardPlan) name(stem string, i, count int) {
	p.Name = stem + extension
	if count > 1 {
		p.Name = fmt.Sprintf("%s-%05d-of-%05d%s", stem, i+1, count, extension)
	}
	for j := range p.Tensors {
		p.Tensors[j].Shard = p.Name
	}
}

// WriteIndex writes the index of the planned files: the total size, and the file of each tensor
// sorted by name.
func WriteIndex(w io.Writer, plans []ShardPlan) error {
	var index struct {
		Metadata struct {
			TotalSize int64 `json:"total_size"`
		} `json:"metadata"`
		WeightMap map[string]string `json:"weight_map"` // encoding/json sorts the keys
	}
	index.WeightMap = map[string]string{}
	for _, p := range plans {
		index.Metadata.TotalSize += p.Size
		for _, t := range p.Tensors {
			index.WeightMap[t.Name] = p.Name
		}
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(index)
}
