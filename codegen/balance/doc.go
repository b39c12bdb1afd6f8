// Package balance tells how evenly the experts of a layer lie over ranks: a certificate that follows
// from router and placement alone, the imbalance score of a batch and its distribution for random
// choices (Pangu Pro MoE, §2.1 and §2.2), and tables of what a text really chose.
//
// It must not know graphs, kernels, how steps are run, or how results are shown.
package balance
