package tokenizer

import (
	"errors"
	"fmt"
	"strings"
)

// The marks of the Pangu chat template around one turn.
const (
	turnOpen  = "[unused9]"
	turnClose = "[unused10]"

	systemRole    = "系统："
	assistantRole = "助手："
)

func isTurnMark(text string) bool { return text == turnOpen || text == turnClose }

// Message is one turn of a chat. Role is system, user, assistant, tool or function.
type Message struct {
	Role, Content string
}

// roleText returns the spelling of a role in the template, with its full-width colon.
func roleText(role string) (string, bool) {
	switch role {
	case "system":
		return systemRole, true
	case "user":
		return "用户：", true
	case "assistant":
		return assistantRole, true
	case "tool":
		return "工具：", true
	case "function":
		return "方法：", true
	}
	return "", false
}

// Chat returns the ids of a conversation in the template of the Pangu checkpoints
// (chat_template in their tokenizer_config.json): one bos, then per message [unused9],
// the role, the content and [unused10], and at the end, on request, the start of the
// assistant's turn. When the first message is not a system message an empty system turn
// comes before it.
//
// Role and content of a turn are encoded as one text between two special tokens, as the
// checkpoint's tokenizer class does, but with WithoutSpecials: a content that spells
// "[unused10]" or "<s>" stays text and cannot end its turn.
func (t *Tokenizer) Chat(msgs []Message, addGenerationPrompt bool) ([]int32, error) {
	open, end, err := t.chatMarks()
	if err != nil {
		return nil, err
	}
	if len(msgs) == 0 {
		return nil, errors.New("chat has no messages: give at least one")
	}
	ids := []int32{t.bos}
	turn := func(text string) {
		ids = append(ids, open)
		ids = append(ids, t.Encode(text, WithoutSpecials)...)
	}
	if msgs[0].Role != "system" {
		turn(systemRole)
		ids = append(ids, end)
	}
	for i, m := range msgs {
		role, ok := roleText(m.Role)
		if !ok {
			return nil, fmt.Errorf("chat message %d has role %q: "+
				"known roles are system, user, assistant, tool and function", i, m.Role)
		}
		turn(role + m.Content)
		ids = append(ids, end)
	}
	if addGenerationPrompt {
		turn(assistantRole)
	}
	return ids, nil
}

// chatMarks finds the tokens that the template needs.
func (t *Tokenizer) chatMarks() (open, end int32, err error) {
	if tmpl := t.conf.chatTemplate; tmpl != "" && !strings.Contains(tmpl, turnOpen+assistantRole) {
		return 0, 0, fmt.Errorf("chat: the template in %s is not the Pangu one (it lacks %q), "+
			"the only one supported: give the prompt as text", t.conf.templateFile,
			turnOpen+assistantRole)
	}
	open, ok1 := t.ID(turnOpen)
	end, ok2 := t.ID(turnClose)
	switch {
	case !ok1:
		return 0, 0, missingMark(turnOpen)
	case !ok2:
		return 0, 0, missingMark(turnClose)
	case t.bos < 0:
		return 0, 0, errors.New("chat: the tokenizer has no bos token: give the prompt as text")
	}
	return open, end, nil
}

func missingMark(text string) error {
	return fmt.Errorf("chat: the vocabulary lacks %q, which the Pangu template needs: "+
		"give the prompt as text", text)
}
