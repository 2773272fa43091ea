//! Instructions to token ids.

use crate::error::Error;
use std::path::Path;
use tokenizers::Tokenizer;

/// A tokenised instruction, padded on the right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Token ids.
    pub ids: Vec<i64>,
    /// Which of them are real.
    pub valid: Vec<bool>,
}

/// Turns instructions into tokens as LeRobot's pipeline does: a newline at the end, no special tokens.
#[derive(Clone, Debug)]
pub struct InstructionTokenizer {
    tokenizer: Tokenizer,
    max_token_count: usize,
    pad_id: i64,
}

impl InstructionTokenizer {
    /// Reads `tokenizer.json`.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn open(path: &Path, max_token_count: usize, pad_id: i64) -> Result<Self, Error> {
        let mut tokenizer = Tokenizer::from_file(path).map_err(|e| Error::file(path, e))?;
        // The file may ask for either; length and padding are the policy's to decide.
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|e| Error::file(path, e))?;
        Ok(Self { tokenizer, max_token_count, pad_id })
    }

    /// Tokenises and pads to the full length. An instruction that is too long keeps its end, as in the
    /// reference: see [`Self::token_count`] to refuse it instead.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Instruction, Error> {
        let mut ids = self.ids(text)?;
        ids.drain(..ids.len().saturating_sub(self.max_token_count));
        let mut valid = vec![true; ids.len()];
        ids.resize(self.max_token_count, self.pad_id);
        valid.resize(self.max_token_count, false);
        Ok(Instruction { ids, valid })
    }

    /// Tokens of a text, its newline included, before anything is cut off.
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub fn token_count(&self, text: &str) -> Result<usize, Error> {
        Ok(self.ids(text)?.len())
    }

    /// Tokens an instruction may have.
    pub fn max_token_count(&self) -> usize {
        self.max_token_count
    }

    /// Ids of `<fake_token_around_image>` and `<global-img>`, if both are known.
    pub fn image_special_tokens(&self) -> Option<[i64; 2]> {
        let id = |token| self.tokenizer.token_to_id(token).map(i64::from);
        Some([id("<fake_token_around_image>")?, id("<global-img>")?])
    }

    fn ids(&self, text: &str) -> Result<Vec<i64>, Error> {
        let line = if text.ends_with('\n') { text.to_owned() } else { format!("{text}\n") };
        let encoding = self.tokenizer.encode(line, false).map_err(|e| Error::Tokenizer(e.to_string()))?;
        Ok(encoding.get_ids().iter().map(|id| i64::from(*id)).collect())
    }
}
