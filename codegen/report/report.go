package report

import (
	"moge/codegen/balance"
)

// Schema is the schema of a Report as JSON.
const Schema = "moge.report/1"

// Report is what is told of a bundle. Sizes are bytes, of one rank unless said otherwise.
type Report struct {
	Schema     string     `json:"schema"`
	Bundle     string     `json:"bundle"`
	Model      Model      `json:"model"`
	Targets    []string   `json:"targets"`
	Limits     Limits     `json:"limits"`
	Step       Step       `json:"step"` // what bytes and times of ops are for
	Placement  Placement  `json:"placement"`
	Memory     Memory     `json:"memory"`
	Blocks     []Block    `json:"blocks"` // in order; neighbouring layers that are alike are one
	Totals     []Total    `json:"totals"` // by part
	Timing     *Source    `json:"timing,omitempty"`
	Schedules  []Schedule `json:"collectives"` // the naive one, those handed in, the bundle's
	Balance    *Balance   `json:"balance,omitempty"`
	Gate       *Gate      `json:"gate,omitempty"` // of a bundle with kernels
	Kernels    []Kernel   `json:"kernels"`
	Provenance Provenance `json:"provenance"`

	Load *balance.ExpertLoad `json:"expert_load,omitempty"`
}

// Model is what the model is.
type Model struct {
	Name         string `json:"name"`
	Architecture string `json:"architecture"`
	Scheme       string `json:"scheme"`
	KV           string `json:"kv"`
	Total        int64  `json:"parameters_total"`
	Active       int64  `json:"parameters_active"`
	Layers       int64  `json:"layers"`
	Hidden       int64  `json:"hidden"`
	Vocab        int64  `json:"vocab"`
	Context      int64  `json:"context"`
	Experts      int64  `json:"experts"`
	TopK         int64  `json:"experts_per_token"`
	Groups       int64  `json:"groups"`
}

// Limits bound a step of the program.
type Limits struct {
	BatchTokens int64 `json:"max_batch_tokens"`
	Seqs        int64 `json:"max_seqs"`
	Context     int64 `json:"context"`
}

// Step is a step that decodes one token of each of some sequences.
type Step struct {
	Sequences int64 `json:"sequences"` // of all ranks
	Context   int64 `json:"context"`   // positions that each of them has
	// PerGroup is the most tokens that a data-parallel group of attention has.
	PerGroup int64 `json:"tokens_per_group"`
}

// Placement says how the model lies over ranks.
type Placement struct {
	Text    string  `json:"text"`
	Devices int     `json:"devices"`
	Attn    Degrees `json:"attention"`
	Experts Degrees `json:"experts"`
	Shared  Degrees `json:"shared"`
	EmbedTP int     `json:"embed_tp"`
	HeadTP  int     `json:"head_tp"`
}

// Degrees are those of one part of the model.
type Degrees struct {
	DP int `json:"dp"`
	EP int `json:"ep"`
	TP int `json:"tp"`
}

// Total is what all ops of a part of the model move in a step, and take.
type Total struct {
	Part    string   `json:"part"`
	Bytes   int64    `json:"bytes"`
	Seconds *float64 `json:"seconds,omitempty"`
}

// Source says where the times of ops come from.
type Source struct {
	What string `json:"what"`
	// OfStep is true if they are predicted for this step; false if for other shapes, so that
	// they do not add up to its time.
	OfStep bool `json:"of_step"`
}

// Balance is what is certified of the rows of a rank's experts, and what random choices would do.
type Balance struct {
	Exact         bool   `json:"exact"`
	EP            int64  `json:"ep"`
	Rows          string `json:"rows_per_token"` // a fraction
	StepRows      int64  `json:"rows_of_step"`   // of the step's token rows, padding included
	StepTokens    int64  `json:"token_rows_of_step"`
	GroupsPerRank int64  `json:"groups_per_rank"`
	PicksPerGroup int64  `json:"picks_per_group"`
	Reason        string `json:"reason"`
	InManifest    bool   `json:"in_manifest"`
	// Problem is why the certificate of the manifest is not the one that follows; empty if it is.
	Problem string  `json:"problem,omitempty"`
	Random  *Random `json:"random,omitempty"`
}

// Random is the distribution of the imbalance score for experts taken at random, by a router that is
// not grouped and by the model's, on the devices of the certificate; on 8 if that is for one.
type Random struct {
	Devices   int               `json:"devices"`
	Ungrouped *balance.Estimate `json:"ungrouped"`
	Model     *balance.Estimate `json:"model"`
}

// Gate is what executing the kernels gave before the bundle was written.
type Gate struct {
	Passed bool   `json:"passed"`
	Seed   uint64 `json:"seed"`
}

// Kernel is device code and its row of the gate.
type Kernel struct {
	Name     string   `json:"name"`
	Source   string   `json:"source"`
	Blocks   int64    `json:"blocks"`
	Launches int64    `json:"launches"` // in a step
	Cases    int64    `json:"cases"`    // 0 if it was not executed
	Error    float64  `json:"error"`    // largest, in parts of its bound
	Cycles   int64    `json:"cycles"`   // predicted for the last case
	Seconds  *float64 `json:"seconds,omitempty"`
}

// Provenance says what the bundle was made of.
type Provenance struct {
	Tool        string  `json:"tool_version"`
	Format      uint32  `json:"format_version"`
	JobKey      string  `json:"job_key,omitempty"`
	Calibration string  `json:"calibration_sha256,omitempty"`
	Sources     []File  `json:"sources"`
	Config      []Entry `json:"config"`
}

// File is bytes of which the bundle was made.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Entry is a setting.
type Entry struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}
