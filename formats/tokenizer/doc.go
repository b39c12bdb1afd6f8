// Package tokenizer turns text into token ids and back, exactly as the sentencepiece
// library does for a BPE model, and lays out chats in the Pangu template.
//
// It reads tokenizer.model (a sentencepiece ModelProto, parsed from the protobuf wire
// format), tokenizer_config.json, special_tokens_map.json and chat_template.jinja. Three
// ways to read a text differ in what they do with special tokens:
//
//   - Encode(text): sentencepiece itself. User-defined pieces are matched first, longest
//     match; control pieces such as <s> are ordinary characters.
//   - Encode(text, WithSpecials): as the tokenizer class shipped with the checkpoint.
//     The text is cut at the added tokens of the configuration files and each part in
//     between is encoded by itself, with its own leading space.
//   - Encode(text, WithoutSpecials): no special token can come out, whatever the text
//     holds. This is the way for text that a stranger wrote.
//
// It must not know models, tensors or graphs, and it keeps no state between calls: a
// Tokenizer may be used by any number of goroutines.
package tokenizer
