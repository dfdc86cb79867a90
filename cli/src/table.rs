//! Text in columns, each as wide on a terminal as its widest cell.

use unicode_width::UnicodeWidthStr;

const GAP: usize = 3;

/// The rows below each other, a line each. Cells of others' words keep to their line.
pub fn aligned(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| one_line(cell)).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.width() + GAP));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A row of words.
pub fn row<const CELLS: usize>(cells: [&str; CELLS]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Line breaks, and whatever else would move a terminal's cursor, as spaces.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn columns_are_as_wide_as_a_terminal_shows_them() {
        let rows = [
            row(["NAME", "COLUMN", "MESSAGE"]),
            row(["user-view", "부서", "사용자 뷰"]),
            row(["a", "department", "two\nlines and an \u{1b}[31mescape"]),
            row(["b", ""]),
        ];
        expect![[r#"
            NAME        COLUMN       MESSAGE
            user-view   부서         사용자 뷰
            a           department   two lines and an  [31mescape
            b
        "#]]
        .assert_eq(&aligned(&rows));
    }

    #[test]
    fn every_column_of_korean_text_begins_where_the_heading_does() {
        let text = aligned(&[row(["이름", "x"]), row(["n", "y"]), row(["가나다라", "z"])]);
        let begins: Vec<usize> = text.lines().map(|line| line[..line.len() - 1].width()).collect();
        assert_eq!(begins, [11, 11, 11]);
    }
}
