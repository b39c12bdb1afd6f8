package quant

// Nearest returns the member of names with the smallest edit distance (insertions,
// deletions and substitutions of characters) to name; the first wins a tie. It is empty
// if names is.
func Nearest(name string, names []string) string {
	nearest, best := "", -1
	target := []rune(name)
	for _, candidate := range names {
		if d := editDistance(target, []rune(candidate)); best < 0 || d < best {
			nearest, best = candidate, d
		}
	}
	return nearest
}

// editDistance is Levenshtein's, one row of the table at a time.
func editDistance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, ca := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, cb := range b {
			substitute := diagonal
			if ca != cb {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
