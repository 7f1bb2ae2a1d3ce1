export A="${HOME}"
